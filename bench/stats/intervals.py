"""What a score's uncertainty is, and which of two rows is better: from predictions and their groups alone.

Conventions: clips of one group, such as a speaker's, are alike, so groups are drawn and not clips. Level
and number of draws are `LEVEL` and `N_DRAWS`; the same seed draws the same groups for every row of a table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bench.metrics import METRICS, Floats, Metric, Predicted
from bench.types import Labels, Score

N_DRAWS = 1000
LEVEL = 0.95

AT_ONCE = 2**22
"""Weights of clips (or of trials) in memory."""

MOST = 2**33
"""Of more weights over all draws, a metric of rankings takes minutes and gets no interval."""


def draws(metric: Metric, p: Predicted, group: Labels, n_draws: int = N_DRAWS, seed: int = 0) -> Floats:
    """Return a metric of samples of the groups, drawn with replacement, shape=(n_draws,).

    Parameters
    ----------
    group : Labels
        shape=(n_clips,).
    """
    names, codes = np.unique(group, return_inverse=True)
    rng = np.random.default_rng(seed)
    of_groups = metric.grouped(p, codes, len(names)) if metric.grouped else None
    size = max(1, AT_ONCE // (len(names) if of_groups else _width(metric, p)))
    parts = []
    for start in range(0, n_draws, size):
        n_rows = min(size, n_draws - start)
        drawn = rng.integers(len(names), size=(n_rows, len(names)))
        places = drawn + np.arange(n_rows)[:, None] * len(names)
        counts = np.bincount(places.ravel(), minlength=n_rows * len(names)).reshape(n_rows, -1)
        weights = counts.astype(np.float64)
        parts.append(of_groups(weights) if of_groups else metric.resampled(p, weights[:, codes]))
    return np.concatenate(parts)


def _width(metric: Metric, p: Predicted) -> int:
    """Return how many weights one draw takes."""
    return len(p.y_true) * (1 if metric.needs == "labels" else len(p.classes))


def bounds(metric: Metric, p: Predicted, group: Labels) -> tuple[float, float] | None:
    """Return the interval of a metric by a bootstrap over groups; None of one group, or too many trials.

    Its quantiles are widened for few groups (the expanded percentile interval of Hesterberg, "What teachers
    should know about the bootstrap", The American Statistician, 2015). Where no draw differs from a score
    that is the best or worst possible, the other bound is Wilson's for as many trials as groups.
    """
    n_groups = len(np.unique(group))
    if n_groups < 2 or _width(metric, p) * N_DRAWS > MOST:
        return None
    sample = draws(metric, p, group)
    if np.ptp(sample) == 0 and sample[0] in {metric.low, metric.high} and np.isfinite(metric.high):
        side = 1.0 if sample[0] == metric.high else 0.0
        wilson = stats.binomtest(int(side * n_groups), n_groups).proportion_ci(LEVEL, "wilson")
        low, high = (metric.low + bound * (metric.high - metric.low) for bound in wilson)
        return (low, metric.high) if side else (metric.low, high)
    return _quantiles(sample, n_groups)


def bounded(table: pd.DataFrame, scores: Sequence[Score]) -> list[Score]:
    """Return scores of a table of predictions with their intervals; a score without one stays as it is.

    Parameters
    ----------
    table : pd.DataFrame
        With the columns `group`, `y_true` and `y_pred`, and perhaps ``score_CLASS``.
    """
    predicted, group = Predicted.of(table), table["group"].to_numpy(str)
    bounded_scores = []
    for score in scores:
        interval = bounds(METRICS[score.metric], predicted, group)
        bounded_scores.append(replace(score, low=interval[0], high=interval[1]) if interval else score)
    return bounded_scores


def _quantiles(sample: Floats, n_groups: int) -> tuple[float, float]:
    wide = np.sqrt(n_groups / (n_groups - 1)) * stats.t.ppf((1 - LEVEL) / 2, n_groups - 1)
    share = float(stats.norm.cdf(wide))
    low, high = np.quantile(sample, [share, 1 - share])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much better a than b is, paired clip by clip.

    Parameters
    ----------
    value, low, high : float
        Of the metric, a minus b, with its interval by a bootstrap over groups.
    p : float
        That a difference as large comes by chance, of the same bootstrap.
    """

    value: float
    low: float
    high: float
    p: float


def difference(metric: Metric, a: Predicted, b: Predicted, group: Labels, seed: int = 0) -> Difference:
    """Return how two rows differ on the same clips, in the same order.

    Raises
    ------
    ValueError
        If the clips have other labels, or there is one group only.
    """
    n_groups = len(np.unique(group))
    if not np.array_equal(a.y_true, b.y_true):
        raise ValueError("the two rows were not tested on the same clips")
    if n_groups < 2:
        raise ValueError("of one group, nothing is known of others")
    value = metric.score(a) - metric.score(b)
    sample = draws(metric, a, group, seed=seed) - draws(metric, b, group, seed=seed)
    [p] = _chances(np.array([value]), sample[None], n_groups)
    return Difference(value, *_quantiles(sample, n_groups), p)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A difference, and what other tests say of it.

    Parameters
    ----------
    permutation : float
        The chance of such a difference, by exchanging the rows' predictions of whole groups.
    mcnemar : float
        The same by McNemar's exact test, which takes every clip for a group of its own.
    """

    difference: Difference
    permutation: float
    mcnemar: float


def compare(metric: Metric, a: Predicted, b: Predicted, group: Labels, seed: int = 0) -> Comparison:
    """Return how two rows differ, as `difference` does, by three tests."""
    found = difference(metric, a, b, group, seed)
    return Comparison(found, permutation(metric, a, b, group, seed=seed), mcnemar(a, b))


def paired(metric: Metric, a: pd.DataFrame, b: pd.DataFrame) -> Comparison | None:
    """Return how two rows' predictions differ on the clips that both were tested on.

    None of one group, or if one of them lacks what the metric needs.
    """
    a, b = a.set_index("clip"), b.set_index("clip")
    common = a.index.intersection(b.index, sort=False)
    shared = [name for name in a.columns if name in b.columns]
    first, second = Predicted.of(a.loc[common, shared]), Predicted.of(b.loc[common, shared])
    group = a.loc[common, "group"].to_numpy(str)
    known = metric.needs in first.given and metric.needs in second.given
    return compare(metric, first, second, group) if known and len(np.unique(group)) > 1 else None


def _chances(differences: Floats, samples: Floats, n_groups: int) -> list[float]:
    """Return the two-sided p of differences by the spread of their draws, shape=(n_differences, n_draws).

    By Student's t with one degree of freedom less than groups. Where no draw differs from another, a
    difference is worth the least that exchanging the two rows within groups could show: 2^(1 - n_groups).
    """
    spread = samples.std(axis=1, ddof=1) * np.sqrt(n_groups / (n_groups - 1))
    t = np.divide(np.abs(differences), spread, out=np.zeros_like(spread), where=spread > 0)
    sure = np.where(differences == 0, 1.0, 2.0 ** (1 - n_groups))
    return [float(p) for p in np.where(spread > 0, 2 * stats.t.sf(t, n_groups - 1), sure)]


def permutation(
    metric: Metric, a: Predicted, b: Predicted, group: Labels, n_draws: int = N_DRAWS, seed: int = 0
) -> float:
    """Return the two-sided p of a paired permutation test that exchanges predictions group by group."""
    names, codes = np.unique(group, return_inverse=True)
    both = _stacked(a, b)
    rng = np.random.default_rng(seed)
    size = max(1, AT_ONCE // (2 * _width(metric, both)))
    observed = abs(metric.score(a) - metric.score(b))
    n_reached = 0
    for start in range(0, n_draws, size):
        kept = rng.integers(2, size=(min(size, n_draws - start), len(names))).astype(np.float64)[:, codes]
        first, second = np.hstack([kept, 1 - kept]), np.hstack([1 - kept, kept])
        found = metric.resampled(both, first) - metric.resampled(both, second)
        n_reached += int((np.abs(found) >= observed - 1e-12).sum())
    return (1 + n_reached) / (1 + n_draws)


def _stacked(a: Predicted, b: Predicted) -> Predicted:
    """Return the clips of one row behind those of the other."""
    classes = np.union1d(a.classes, b.classes)
    scores = None
    if a.scores is not None and b.scores is not None and np.array_equal(a.classes, b.classes):
        scores = np.concatenate([a.scores, b.scores])
    y_true, y_pred = (np.concatenate(pair) for pair in ((a.y_true, b.y_true), (a.y_pred, b.y_pred)))
    return Predicted(y_true, y_pred, classes, scores)


def mcnemar(a: Predicted, b: Predicted) -> float:
    """Return the two-sided p of McNemar's exact test of the clips that one row alone gets right."""
    a_right, b_right = a.y_pred == a.y_true, b.y_pred == b.y_true
    a_alone, b_alone = int((a_right & ~b_right).sum()), int((b_right & ~a_right).sum())
    return float(stats.binomtest(a_alone, a_alone + b_alone).pvalue) if a_alone + b_alone else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """Return p corrected for as many comparisons, by Holm (Scandinavian Journal of Statistics, 1979)."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected.tolist()


@dataclass(frozen=True, slots=True)
class Standing:
    """The ranks that a row may have, from `low`, the better, to `high`, and if it may be as good as the best.

    Parameters
    ----------
    p : float
        Of its difference from the best row, corrected by Holm for all pairs of the table.
    """

    low: int
    high: int
    tied: bool
    p: float


def standings(
    values: Floats, samples: Floats, n_groups: int, higher_is_better: bool = True
) -> list[Standing]:
    """Return where the rows of a table stand, by every pair's difference, corrected for their number.

    Parameters
    ----------
    values : np.ndarray, shape=(n_rows,)
    samples : np.ndarray, shape=(n_rows, n_draws)
        What `draws` gives of each row for the same clips.
    """
    n_rows = len(values)
    if n_rows == 1 or n_groups < 2:
        return [Standing(1, n_rows, True, 1.0)] * n_rows
    merit = values if higher_is_better else -values
    first, second = np.triu_indices(n_rows, 1)
    p = np.ones((n_rows, n_rows))
    chances = [
        chance
        for i in range(n_rows - 1)
        for chance in _chances(values[i] - values[i + 1 :], samples[i] - samples[i + 1 :], n_groups)
    ]
    p[first, second] = p[second, first] = holm(chances)
    better: npt.NDArray[np.bool_] = (merit[:, None] > merit) & (p < 1 - LEVEL)
    best = int(np.argmax(merit))
    return [
        Standing(
            low=1 + int(better[:, row].sum()),
            high=n_rows - int(better[row].sum()),
            tied=not better[best, row],
            p=float(p[best, row]) if row != best else 1.0,
        )
        for row in range(n_rows)
    ]
