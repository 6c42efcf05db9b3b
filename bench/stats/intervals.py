"""Draws of groups, from which scores are computed again.

Conventions: clips of one group, such as a speaker's, are alike, so that the bootstrap draws groups and not
clips. The level and the number of draws are `LEVEL` and `N_DRAWS`; the same seed draws the same groups for
every system.
"""

import numpy as np
from scipy import stats

from bench.metrics import Floats, Metric, Predicted
from bench.metrics.base import Codes, GroupScorer
from bench.types import Labels

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
    values_of, block = scorer(metric, p, codes, len(names))
    values = []
    for start in range(0, n_draws, block):
        n_rows = min(block, n_draws - start)
        numbers = rng.integers(len(names), size=(n_rows, len(names)))
        cells = numbers + np.arange(n_rows)[:, None] * len(names)
        counts = np.bincount(cells.ravel(), minlength=n_rows * len(names)).reshape(n_rows, -1)
        values.append(values_of(counts.astype(np.float64)))
    return np.concatenate(values)


def scorer(metric: Metric, p: Predicted, codes: Codes, n_groups: int) -> tuple[GroupScorer, int]:
    """Return a function from weights of groups to values, and the number of draws that fit into memory.

    Parameters
    ----------
    codes : Codes
        Group of every clip as a number from 0, shape=(n_clips,).
    """
    if metric.group_scorer:
        return metric.group_scorer(p, codes, n_groups), max(1, MAX_BLOCK // n_groups)
    block = max(1, MAX_BLOCK // weights_per_draw(metric, p))
    return lambda weights: metric.draw_scores(p, weights[:, codes]), block


def weights_per_draw(metric: Metric, p: Predicted) -> int:
    """Return the number of weights in one draw: one per clip, or one per clip and class."""
    return len(p.y_true) * (1 if metric.needs == "labels" else len(p.classes))


def quantiles(sample: Floats, n_groups: int) -> tuple[float, float]:
    """Return the bounds of a bootstrap sample, shape=(n_draws,), widened for few groups."""
    wide = np.sqrt(n_groups / (n_groups - 1)) * stats.t.ppf((1 - LEVEL) / 2, n_groups - 1)
    share = float(stats.norm.cdf(wide))
    low, high = np.quantile(sample, [share, 1 - share])
    return float(low), float(high)
