"""Several hypotheses at once: contributions of groups to scores, sign flips of groups, step-down p-values.

Conventions: the first draw of every test is the observation itself, so that no p-value is 0.
"""

from collections.abc import Iterable
from itertools import chain

import numpy as np
import numpy.typing as npt

from bench.metrics import Floats, Metric, Predicted
from bench.stats.intervals import N_DRAWS, scorer
from bench.types import Labels

MIN_GROUPS = 6
"""Fewest groups for a test at 5 %: flipping the signs of 5 groups gives p = 2/2^5 = 0.0625 at best."""

MAX_UNITS = 200
"""Most units of a test; more groups are merged at random into as many units, which are independent too."""

MODERATION = 5
"""Number of groups that the spread of all differences of a table counts as in that of each difference."""


def units(group: Labels, seed: int = 0) -> tuple[npt.NDArray[np.intp], int]:
    """Return the unit of every clip as a number, shape=(n_clips,), and the number of units.

    A unit is a group; above `MAX_UNITS` groups it is several whole groups, drawn at random.
    """
    names, codes = np.unique(group, return_inverse=True)
    if len(names) <= MAX_UNITS:
        return codes, len(names)
    return (np.random.default_rng(seed).permutation(len(names)) % MAX_UNITS)[codes], MAX_UNITS


def contributions(metric: Metric, p: Predicted, group: Labels) -> Floats:
    """Return what every unit contributes to a score, shape=(n_units,); their mean is the score.

    They are pseudo-values of the jackknife, weighted by the clips of their units. For the accuracy, that is
    the number of right clips of each unit by the mean number of clips in a unit.

    Parameters
    ----------
    group : Labels
        Group of every clip, shape=(n_clips,).

    References
    ----------
    Busing, Meijer and van der Leeden, "Delete-m jackknife for unequal m", Statistics and Computing 9, 1999.
    """
    codes, n_units = units(group)
    values_of, n_rows = scorer(metric, p, codes, n_units)
    starts = range(0, n_units, n_rows)
    without = [values_of(1.0 - np.eye(n_units)[start : start + n_rows]) for start in starts]
    rest = 1 - np.bincount(codes) / len(codes)
    value = metric.score(p)
    pseudo = n_units * (value - rest * np.concatenate(without))
    return np.asarray(pseudo - pseudo.mean() + value)


def signs(n_units: int, seed: int = 0) -> Floats:
    """Return signs of the units, shape=(n_draws, n_units): all ways of flipping them, or else some.

    A flip of all units is left out where all ways are listed: it changes no absolute value.
    """
    if n_units <= np.log2(N_DRAWS) + 2:
        bits = np.arange(2 ** (n_units - 1))[:, None] >> np.arange(n_units)
        return np.asarray(1.0 - 2.0 * (bits & 1))
    flips = np.random.default_rng(seed).choice([-1.0, 1.0], size=(1 + N_DRAWS, n_units))
    flips[0] = 1.0
    return flips


def scales(merits: Floats) -> Floats:
    """Return the scale of the difference of two rows, shape=(n_rows, n_rows).

    It is the root mean square over the units, which flips of signs do not change, moderated by the median of
    all: else a difference that is by luck the same in all of few units would exceed every other. Rows
    without any difference have the scale 1.

    Parameters
    ----------
    merits : Floats
        Contributions of the units to every row, shape=(n_rows, n_units).

    References
    ----------
    Smyth, "Linear models and empirical Bayes methods for assessing differential expression", Statistical
    Applications in Genetics and Molecular Biology 3, 2004 (moderated t).
    """
    n_rows, n_units = merits.shape
    squares = np.array([((row - merits) ** 2).mean(axis=1) for row in merits])
    median = np.median(squares[np.triu_indices(n_rows, 1)])
    moderate = (MODERATION * median + n_units * squares) / (MODERATION + n_units)
    return np.sqrt(np.where(moderate > 0, moderate, 1.0))


def step_down(draws: Iterable[Floats]) -> Floats:
    """Return the p-value of every hypothesis, corrected for the number of hypotheses.

    The chance of one wrong rejection or more is at most the level. The correlation of the hypotheses is used:
    many that are nearly the same count as one.

    Parameters
    ----------
    draws : Iterable[Floats]
        Blocks of statistics, larger for stronger evidence, shape=(n_draws, n_hypotheses); the first draw of
        the first block is the observation.

    Examples
    --------
    >>> step_down([np.array([[3.0, 1.0], [2.0, 0.5], [0.0, 2.0], [1.0, 1.0]])]).tolist()
    [0.25, 0.75]

    References
    ----------
    Romano and Wolf, "Efficient computation of adjusted p-values for resampling-based stepdown multiple
    testing", Statistics and Probability Letters 113, 2016.
    """
    blocks = iter(draws)
    first = next(blocks)
    observed = first[0]
    order = np.argsort(-observed, kind="stable")
    n_draws, n_larger = 0, np.zeros(len(order))
    for block in chain([first], blocks):
        largest = np.maximum.accumulate(block[:, order[::-1]], axis=1)[:, ::-1]
        n_larger += (largest >= observed[order] - 1e-12).sum(axis=0)
        n_draws += len(block)
    p = np.empty(len(order))
    p[order] = np.maximum.accumulate(n_larger / n_draws)
    return p
