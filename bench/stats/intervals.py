"""Confidence intervals of scores, from predictions and their groups alone.

Conventions: clips of one group, such as a speaker's, are alike, so that the bootstrap draws groups and not
clips. The level and the number of draws are `LEVEL` and `N_DRAWS`; the same seed draws the same groups for
every system.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from bench.metrics import METRICS, Floats, Metric, Predicted
from bench.types import Labels, Score

N_DRAWS = 1000
"""Number of draws of a bootstrap or a permutation test."""

LEVEL = 0.95
"""Level of every interval; a test is significant below 1 - LEVEL."""

MAX_BLOCK = 2**22
"""Largest number of weights in memory: draws x groups, clips, or clips x classes."""

MAX_WEIGHTS = 2**33
"""Largest clips x classes x draws for which a rank metric gets an interval; more would take minutes."""


def draws(metric: Metric, p: Predicted, group: Labels, n_draws: int = N_DRAWS, seed: int = 0) -> Floats:
    """Return a metric of samples of the groups, drawn with replacement, shape=(n_draws,).

    Parameters
    ----------
    group : Labels
        Group of every clip, shape=(n_clips,).
    """
    names, codes = np.unique(group, return_inverse=True)
    rng = np.random.default_rng(seed)
    group_scores = metric.group_scorer(p, codes, len(names)) if metric.group_scorer else None
    block = max(1, MAX_BLOCK // (len(names) if group_scores else weights_per_draw(metric, p)))
    values = []
    for start in range(0, n_draws, block):
        n_rows = min(block, n_draws - start)
        numbers = rng.integers(len(names), size=(n_rows, len(names)))
        cells = numbers + np.arange(n_rows)[:, None] * len(names)
        counts = np.bincount(cells.ravel(), minlength=n_rows * len(names)).reshape(n_rows, -1)
        weights = counts.astype(np.float64)
        values.append(group_scores(weights) if group_scores else metric.draw_scores(p, weights[:, codes]))
    return np.concatenate(values)


def weights_per_draw(metric: Metric, p: Predicted) -> int:
    """Return the number of weights in one draw: one per clip, or one per clip and class."""
    return len(p.y_true) * (1 if metric.needs == "labels" else len(p.classes))


def bounds(metric: Metric, p: Predicted, group: Labels) -> tuple[float, float] | None:
    """Return the 95 % interval of a metric by a bootstrap over groups.

    Quantiles are widened for few groups. If no draw differs from a score that is the best or the worst
    possible, the other bound is Wilson's, with a trial for every group.

    Parameters
    ----------
    group : Labels
        Group of every clip, shape=(n_clips,).

    Returns
    -------
    tuple[float, float] | None
        Lower and upper bound; None for a single group, or above `MAX_WEIGHTS`.

    References
    ----------
    Hesterberg, "What teachers should know about the bootstrap", The American Statistician, 2015 (expanded
    percentile interval). Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association, 1927.
    """
    n_groups = len(np.unique(group))
    if n_groups < 2 or weights_per_draw(metric, p) * N_DRAWS > MAX_WEIGHTS:
        return None
    sample = draws(metric, p, group)
    if np.ptp(sample) == 0 and sample[0] in {metric.low, metric.high} and np.isfinite(metric.high):
        side = 1.0 if sample[0] == metric.high else 0.0
        wilson = stats.binomtest(int(side * n_groups), n_groups).proportion_ci(LEVEL, "wilson")
        low, high = (metric.low + float(bound) * (metric.high - metric.low) for bound in wilson)
        return (low, metric.high) if side else (metric.low, high)
    return quantiles(sample, n_groups)


def quantiles(sample: Floats, n_groups: int) -> tuple[float, float]:
    """Return the bounds of a bootstrap sample, shape=(n_draws,), widened for few groups."""
    wide = np.sqrt(n_groups / (n_groups - 1)) * stats.t.ppf((1 - LEVEL) / 2, n_groups - 1)
    share = float(stats.norm.cdf(wide))
    low, high = np.quantile(sample, [share, 1 - share])
    return float(low), float(high)


def bounded(predicted: Predicted, group: Labels, scores: Sequence[Score]) -> list[Score]:
    """Return scores of predictions with their intervals; a score without one stays as it is.

    Parameters
    ----------
    group : Labels
        shape=(n_clips,).
    """
    bounded_scores = []
    for score in scores:
        interval = bounds(METRICS[score.metric], predicted, group)
        bounded_scores.append(replace(score, low=interval[0], high=interval[1]) if interval else score)
    return bounded_scores
