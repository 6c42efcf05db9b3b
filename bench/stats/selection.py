"""Score of the best of several systems, corrected for its choice on the clips that it is scored on.

The highest of many scores is too high: the best row is partly the luckiest one. Groups are drawn with
replacement, the best row is chosen on the drawn groups, and scored on the groups that were left out.

References
----------
Tsamardinos, Greasidou and Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and
accurate cross-validation", Machine Learning 107, 2018 (BBC-CV, algorithm 5).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.metrics import Floats, Metric, Predicted
from bench.stats.intervals import LEVEL, MAX_WEIGHTS, N_DRAWS, scorer, weights_per_draw
from bench.types import Labels

TIE = 1e-12
"""Rounding error below which two scores are equal."""


@dataclass(frozen=True, slots=True)
class BestScore:
    """Score that the best of some rows has on new groups.

    Parameters
    ----------
    value : float
        Mean over the draws.
    low, high : float
        Percentiles of the draws. Every draw scores about a third of the groups, so that this interval is
        wider than one of 95 %.
    """

    value: float
    low: float
    high: float


def draw_pairs(metric: Metric, p: Predicted, group: Labels) -> tuple[Floats, Floats] | None:
    """Return a metric on the groups of every draw, and on the groups that the draw leaves out.

    The same groups are drawn for every system.

    Parameters
    ----------
    group : Labels
        Group of every clip, shape=(n_clips,).

    Returns
    -------
    tuple[Floats, Floats] | None
        Each of shape=(n_draws,), the second one with NaN for a draw that leaves no group out; None for a
        single group, or above `MAX_WEIGHTS`.
    """
    names, codes = np.unique(group, return_inverse=True)
    is_large = not metric.group_scorer and 2 * weights_per_draw(metric, p) * N_DRAWS > MAX_WEIGHTS
    if len(names) < 2 or is_large:
        return None
    scores, block = scorer(metric, p, codes, len(names))
    inside, outside = [], []
    for counts in _draws(len(names), block):
        is_left_out = counts == 0
        has_rest = is_left_out.any(axis=1)
        inside.append(scores(counts))
        rest = np.full(len(counts), np.nan)
        rest[has_rest] = scores(is_left_out[has_rest].astype(np.float64))
        outside.append(rest)
    return np.concatenate(inside), np.concatenate(outside)


def _draws(n_groups: int, block: int) -> Iterator[Floats]:
    """Yield how often every group is drawn, shape=(n_draws of at most `block`, n_groups)."""
    rng = np.random.default_rng(0)
    for start in range(0, N_DRAWS, block):
        n_draws = min(block, N_DRAWS - start)
        yield rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_draws).astype(np.float64)


def best_score(inside: Floats, outside: Floats, higher_is_better: bool = True) -> BestScore:
    """Return the score of the best row: chosen on the drawn groups, scored on those left out.

    Rows that are equally good on the drawn groups count with their mean, as if one of them were drawn by lot.

    Parameters
    ----------
    inside, outside : np.ndarray, shape=(n_rows, n_draws)
        `draw_pairs` of every row for the same clips.
    """
    merit = inside if higher_is_better else -inside
    is_best = merit >= merit.max(axis=0) - TIE
    values = np.where(is_best, outside, 0.0).sum(axis=0) / is_best.sum(axis=0)
    values = values[np.isfinite(values)]
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return BestScore(float(values.mean()), float(low), float(high))
