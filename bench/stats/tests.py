"""Paired tests of two systems on the same clips.

Conventions: a difference is the metric of system a minus that of system b, a p-value is two-sided, and
`group` has shape=(n_clips,).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from bench.metrics import Floats, Metric, Predicted
from bench.stats import intervals
from bench.stats.intervals import LEVEL, N_DRAWS, draws, quantiles, weights_per_draw
from bench.stats.stepdown import MIN_GROUPS
from bench.types import Labels

POWER = 0.8
"""Share of the runs in which a loss of the size of `visible_loss` is found."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of a metric between two systems.

    Parameters
    ----------
    value, low, high : float
        Metric of a minus that of b, with its 95 % interval by a bootstrap over groups.
    p : float
        p-value of the difference by the same bootstrap, in [0, 1].
    standard_error : float
        Standard error of the difference by the same bootstrap, in the unit of the metric.
    n_groups : int
        Number of groups that are drawn.
    """

    value: float
    low: float
    high: float
    p: float
    standard_error: float
    n_groups: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A difference with the p-values of two further tests.

    Parameters
    ----------
    permutation : float
        p-value of a permutation test that exchanges the predictions of whole groups.
    mcnemar : float
        p-value of McNemar's exact test, in which every clip is a group of its own.
    """

    difference: Difference
    permutation: float
    mcnemar: float


def difference(metric: Metric, a: Predicted, b: Predicted, group: Labels) -> Difference:
    """Return the difference of two systems on the same clips in the same order.

    Raises
    ------
    ValueError
        If the labels differ, or all clips are of one group.
    """
    n_groups = len(np.unique(group))
    if not np.array_equal(a.y_true, b.y_true):
        raise ValueError("the labels of the two systems differ; expected the same clips in the same order")
    if n_groups < 2:
        raise ValueError(f"{n_groups} group; expected 2 or more")
    value = metric.score(a) - metric.score(b)
    sample = draws(metric, a, group) - draws(metric, b, group)
    low, high = quantiles(sample, n_groups)
    [p] = p_values(np.array([value]), sample[None], n_groups)
    [error] = _standard_errors(sample[None], n_groups)
    return Difference(value=value, low=low, high=high, p=p, standard_error=float(error), n_groups=n_groups)


def compare(metric: Metric, a: Predicted, b: Predicted, group: Labels) -> Comparison:
    """Return the difference of two systems with all three tests; see `difference`."""
    return Comparison(
        difference=difference(metric, a, b, group),
        permutation=permutation(metric, a, b, group),
        mcnemar=mcnemar(a, b),
    )


def paired(metric: Metric, a: pd.DataFrame, b: pd.DataFrame) -> Comparison | None:
    """Return the comparison of two tables of predictions on their common clips.

    Returns
    -------
    Comparison | None
        None if the common clips are of one group, or a table lacks the scores that the metric needs.
    """
    a, b = a.set_index("clip"), b.set_index("clip")
    clips = a.index.intersection(b.index, sort=False)
    columns = [name for name in a.columns if name in b.columns]
    first, second = Predicted.of(a.loc[clips, columns]), Predicted.of(b.loc[clips, columns])
    group = a.loc[clips, "group"].to_numpy(str)
    if metric.needs not in first.inputs & second.inputs or len(np.unique(group)) < 2:
        return None
    return compare(metric, first, second, group)


def p_values(differences: Floats, samples: Floats, n_groups: int) -> list[float]:
    """Return the p-values of differences by the spread of their draws, shape=(n_differences, n_draws).

    The statistic is Student's t with n_groups - 1 degrees of freedom. A difference whose draws are all equal
    gets 2^(1 - n_groups), the lowest p-value of a permutation of two systems within groups.
    """
    spread = _standard_errors(samples, n_groups)
    t = np.divide(np.abs(differences), spread, out=np.zeros_like(spread), where=spread > 0)
    without_spread = np.where(differences == 0, 1.0, 2.0 ** (1 - n_groups))
    return [float(p) for p in np.where(spread > 0, 2 * stats.t.sf(t, n_groups - 1), without_spread)]


def _standard_errors(samples: Floats, n_groups: int) -> Floats:
    """Return the standard error of every difference, from its draws; shape=(n_differences,)."""
    return np.asarray(samples.std(axis=1, ddof=1) * np.sqrt(n_groups / (n_groups - 1)))


def visible_loss(error: float, n_groups: int, limit: float, n_comparisons: int = 1) -> float:
    """Return the smallest loss that exceeds a limit and is significant in a share POWER of all runs.

    An estimate counts if it is above both the limit and the critical value of Student's t, at the first level
    of Holm's correction; the loss is larger than that by the quantile of an estimate's error. With too few
    groups for a test, the limit alone counts.

    Parameters
    ----------
    error : float
        Standard error of the difference, in the unit of the metric.
    n_groups : int
        2 or more.
    n_comparisons : int
        Number of comparisons that are corrected together.

    Examples
    --------
    >>> round(visible_loss(error=0.01, n_groups=100, limit=0.02), 4)
    0.0285

    References
    ----------
    Bloom, "Minimum detectable effects", Evaluation Review, 1995.
    """
    degrees = n_groups - 1
    alpha = (1 - LEVEL) / n_comparisons
    critical = stats.t.isf(alpha / 2, degrees) * error if n_groups >= MIN_GROUPS else 0.0
    return float(max(limit, critical) + stats.t.ppf(POWER, degrees) * error)


def permutation(metric: Metric, a: Predicted, b: Predicted, group: Labels, n_draws: int = N_DRAWS) -> float:
    """Return the p-value of a paired permutation test that exchanges predictions group by group.

    References
    ----------
    Phipson and Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and
    Molecular Biology, 2010.
    """
    names, codes = np.unique(group, return_inverse=True)
    both = _concatenation(a, b)
    rng = np.random.default_rng(0)
    block = max(1, intervals.MAX_BLOCK // (2 * weights_per_draw(metric, both)))
    observed = abs(metric.score(a) - metric.score(b))
    n_extreme = 0
    for start in range(0, n_draws, block):
        signs = rng.integers(2, size=(min(block, n_draws - start), len(names))).astype(np.float64)[:, codes]
        first, second = np.hstack([signs, 1 - signs]), np.hstack([1 - signs, signs])
        differences = metric.draw_scores(both, first) - metric.draw_scores(both, second)
        n_extreme += int((np.abs(differences) >= observed - 1e-12).sum())
    return (1 + n_extreme) / (1 + n_draws)


def _concatenation(a: Predicted, b: Predicted) -> Predicted:
    """Return the clips of system a, then those of system b."""
    classes = np.union1d(a.classes, b.classes)
    scores = None
    if a.scores is not None and b.scores is not None and np.array_equal(a.classes, b.classes):
        scores = np.concatenate([a.scores, b.scores])
    y_true, y_pred = (np.concatenate(pair) for pair in ((a.y_true, b.y_true), (a.y_pred, b.y_pred)))
    fold = None if a.fold is None or b.fold is None else np.concatenate([a.fold, b.fold])
    return Predicted(y_true, y_pred, classes, scores, fold)


def mcnemar(a: Predicted, b: Predicted) -> float:
    """Return the p-value of McNemar's exact test, over the clips that only one system predicts correctly.

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika, 1947.
    """
    a_correct, b_correct = a.y_pred == a.y_true, b.y_pred == b.y_true
    only_a, only_b = int((a_correct & ~b_correct).sum()), int((b_correct & ~a_correct).sum())
    return float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values corrected for the number of comparisons.

    Examples
    --------
    >>> [round(p, 6) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics, 1979.
    """
    order = np.argsort(p, kind="stable")
    increasing = np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(increasing, 1.0)
    return corrected.tolist()
