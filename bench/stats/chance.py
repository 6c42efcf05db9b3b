"""Is a row better than chance? Levels of chance, and a test that permutes the labels of tested clips.

Conventions: predictions are fixed; a block is the clips of one group that have one label, and `group` has
shape=(n_clips,).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from bench.metrics import METRICS, Floats, Metric, Predicted
from bench.metrics.base import Codes
from bench.stats.intervals import LEVEL, N_DRAWS
from bench.stats.stepdown import step_down
from bench.types import Labels

MAX_COUNTED = 2**29
"""Largest clips x permutations x rows of a test; more would take a minute, and are tested by fewer."""

MAX_LABELS = 2**24
"""Largest blocks x permutations in memory, beyond the fewest permutations."""

MAX_SCORED = 2**27
"""Largest clips x classes x permutations x rows of a test of a metric of scores."""

MIN_DRAWS = 199
"""Fewest permutations of a test."""


@dataclass(frozen=True, slots=True)
class Chance:
    """What predictions without the audio score on the tested clips.

    Parameters
    ----------
    constant : float
        The best score of one class for every clip.
    stratified : float
        Mean score of the labels in random order, as if drawn with the frequencies of the classes.
    """

    constant: float
    stratified: float


def levels(metric: Metric, y_true: Labels, seed: int = 0) -> Chance | None:
    """Return the levels of chance of a metric of labels, shape=(n_clips,); None for a metric of scores."""
    if metric.needs != "labels":
        return None
    classes, codes = np.unique(y_true, return_inverse=True)
    n = len(classes)
    rng = np.random.default_rng(seed)
    constants = [np.full(len(codes), code) for code in range(n)]
    random = [rng.permutation(codes) for _ in range(MIN_DRAWS)]
    values = _scores(metric, classes, codes[None], np.array([*constants, *random]))
    best = max if metric.higher_is_better else min
    return Chance(constant=best(values[:n].tolist()), stratified=float(values[n:].mean()))


def above_chance(
    metric: Metric, rows: Sequence[Sequence[Predicted]], group: Labels, seed: int = 0
) -> list[float] | None:
    """Return the p-value of "this row is no better than chance" for every row, corrected for their number.

    The blocks of a group exchange their labels, and groups of a single label exchange theirs; every row is
    scored with the same permutations. Rows of a metric of labels are scored by Cohen's kappa, which is 0 for
    one class for every clip, however frequent.

    Parameters
    ----------
    rows : Sequence[Sequence[Predicted]]
        Predictions of the same clips in the same order, one per seed of a row.

    Returns
    -------
    list[float] | None
        None if the labels allow too few permutations for p < 5 %, or a metric of scores would take minutes.

    References
    ----------
    Ojala and Garriga, "Permutation tests for studying classifier performance", JMLR 11, 2010 (test 1).
    Winkler et al., "Multi-level block permutation", NeuroImage 123, 2015.
    """
    blocks = Blocks.of(rows[0][0].y_true, group)
    if np.exp(-blocks.log_permutations) >= 1 - LEVEL - 1e-9:
        return None
    n_draws = _n_draws(metric, rows, len(blocks.label))
    if not n_draws:
        return None
    statistic = METRICS["cohen_kappa"] if metric.needs == "labels" else metric
    labels = blocks.permutations(n_draws, np.random.default_rng(seed))
    samples = [np.mean([_permuted(statistic, p, blocks, labels) for p in seeds], axis=0) for seeds in rows]
    draws = np.array(samples).T if statistic.higher_is_better else -np.array(samples).T
    spread = draws.std(axis=0)
    p = step_down([(draws - draws.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)])
    return [float(value) for value in p]


def _n_draws(metric: Metric, rows: Sequence[Sequence[Predicted]], n_blocks: int) -> int:
    """Return the number of permutations that take less than a minute; 0 if too few do."""
    first = rows[0][0]
    n_clips = len(first.y_true) * sum(map(len, rows))
    if metric.needs == "labels":
        return int(np.clip(min(MAX_COUNTED // n_clips, MAX_LABELS // n_blocks), MIN_DRAWS, N_DRAWS))
    return MIN_DRAWS if n_clips * len(first.classes) * MIN_DRAWS <= MAX_SCORED else 0


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Blocks of clips, sorted by their strata, within which they exchange labels.

    Parameters
    ----------
    classes : Labels
        Every label, sorted.
    block : Codes
        Block of every clip, shape=(n_clips,).
    label, stratum : Codes
        Class and stratum of every block, shape=(n_blocks,). A stratum is a group of several labels, or all
        groups of a single one.
    """

    classes: Labels
    block: Codes
    label: Codes
    stratum: Codes

    @classmethod
    def of(cls, y_true: Labels, group: Labels) -> Self:
        """Return the blocks of clips."""
        classes, codes = np.unique(y_true, return_inverse=True)
        groups = np.unique(group, return_inverse=True)[1]
        pairs, block = np.unique(groups * len(classes) + codes, return_inverse=True)
        owner, label = np.divmod(pairs, len(classes))
        stratum = np.where(np.bincount(owner)[owner] > 1, 1 + owner, 0)
        order = np.argsort(stratum, kind="stable")
        return cls(classes, np.argsort(order)[block], label[order], stratum[order])

    @property
    def log_permutations(self) -> float:
        """Return the logarithm of the number of ways in which the blocks can have their labels."""
        sizes = np.unique(self.stratum, return_counts=True)[1]
        same = np.bincount(self.label[self.stratum == 0])
        return float(gammaln(sizes + 1).sum() - gammaln(same + 1).sum())

    def permutations(self, n: int, rng: np.random.Generator) -> Codes:
        """Return the labels of the blocks, then `n` permutations of them, shape=(1 + n, n_blocks)."""
        orders = (np.argsort(self.stratum + rng.random(len(self.label))) for _ in range(n))
        return np.array([self.label, *(self.label[order] for order in orders)])


def _permuted(metric: Metric, p: Predicted, blocks: Blocks, labels: Codes) -> Floats:
    """Return the score of predictions for every permutation of the blocks' labels, shape=(n,)."""
    labels = np.searchsorted(p.classes, blocks.classes)[labels]
    if metric.needs != "labels":
        return np.array([metric.score(replace(p, y_true=p.classes[row[blocks.block]])) for row in labels])
    predicted = np.searchsorted(p.classes, p.y_pred)
    cells, counts = np.unique(blocks.block * len(p.classes) + predicted, return_counts=True)
    block, predicted = np.divmod(cells, len(p.classes))
    return _scores(metric, p.classes, labels[:, block], predicted[None], counts)


def _scores(
    metric: Metric,
    classes: Labels,
    true: npt.NDArray[np.intp],
    predicted: npt.NDArray[np.intp],
    counts: npt.NDArray[np.int_] | None = None,
) -> Floats:
    """Return the score of every row of labels and predictions, from their confusion matrices.

    Parameters
    ----------
    true, predicted : np.ndarray
        Classes of the items as numbers, shape=(n, n_items) or (1, n_items).
    counts : np.ndarray | None
        Number of clips of every item; None for one each.
    """
    n = len(classes)
    matrices = np.array([np.bincount(cells, counts, n * n) for cells in true * n + predicted], np.float64)
    p = Predicted(np.repeat(classes, n), np.tile(classes, n), classes)
    return metric.draw_scores(p, matrices)
