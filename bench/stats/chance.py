"""Is a row better than chance? Levels of chance, and a test that permutes the labels of tested clips.

Conventions: predictions are fixed; a block is the clips of one group that have one label, and `group` has
shape=(n_clips,).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from bench.metrics import Floats, Metric, Predicted
from bench.metrics.base import Codes
from bench.stats.intervals import LEVEL, N_DRAWS
from bench.stats.stepdown import step_down
from bench.types import Labels

MAX_COUNTED = 2**29
"""Largest clips x permutations x rows of a test; more would take a minute, and are tested by fewer."""

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

    Blocks exchange their labels, so that all clips of a speaker and label get a common label again, and every
    row is scored with the same permutations.

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
    y_true = rows[0][0].y_true
    classes, block, label = _blocks(y_true, group)
    if n_permutations(label) < 1 / (1 - LEVEL):
        return None
    n_draws = _n_draws(metric, rows)
    if not n_draws:
        return None
    rng = np.random.default_rng(seed)
    permutations = np.array([label, *(rng.permutation(label) for _ in range(n_draws))])
    samples = [
        np.mean(
            [_permuted(metric, p, block, np.searchsorted(p.classes, classes)[permutations]) for p in seeds],
            axis=0,
        )
        for seeds in rows
    ]
    sign = 1.0 if metric.higher_is_better else -1.0
    draws = sign * np.array(samples).T
    spread = draws.std(axis=0)
    return step_down([(draws - draws.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)]).tolist()


def _n_draws(metric: Metric, rows: Sequence[Sequence[Predicted]]) -> int:
    """Return the number of permutations that take less than a minute; 0 if too few do."""
    first = rows[0][0]
    if metric.needs == "labels":
        return int(np.clip(MAX_COUNTED // (len(first.y_true) * sum(map(len, rows))), MIN_DRAWS, N_DRAWS))
    n_scored = len(first.y_true) * len(first.classes) * sum(map(len, rows)) * MIN_DRAWS
    return MIN_DRAWS if n_scored <= MAX_SCORED else 0


def n_permutations(labels: Codes) -> float:
    """Return in how many ways blocks can have their labels, shape=(n_blocks,); inf above 10^300.

    Examples
    --------
    >>> n_permutations(np.array([0, 0, 1]))
    3.0
    """
    counts = np.bincount(labels)
    log_number = gammaln(len(labels) + 1) - gammaln(counts + 1).sum()
    return float(np.round(np.exp(log_number))) if log_number < 690 else np.inf


def _blocks(y_true: Labels, group: Labels) -> tuple[Labels, Codes, Codes]:
    """Return the classes, the block of every clip, and the class of every block as a number."""
    classes, codes = np.unique(y_true, return_inverse=True)
    groups = np.unique(group, return_inverse=True)[1]
    pairs, block = np.unique(groups * len(classes) + codes, return_inverse=True)
    return classes, block, pairs % len(classes)


def _permuted(metric: Metric, p: Predicted, block: Codes, labels: npt.NDArray[np.intp]) -> Floats:
    """Return the score of predictions for every permutation of the blocks' labels, shape=(n, n_blocks)."""
    if metric.needs != "labels":
        return np.array([metric.score(replace(p, y_true=p.classes[codes[block]])) for codes in labels])
    predicted = np.searchsorted(p.classes, p.y_pred)
    cells, counts = np.unique(block * len(p.classes) + predicted, return_counts=True)
    blocks, predicted = np.divmod(cells, len(p.classes))
    return _scores(metric, p.classes, labels[:, blocks], predicted[None], counts)


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
