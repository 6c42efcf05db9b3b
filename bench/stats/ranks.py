"""Ranks of systems: confidence sets within one table, and mean ranks over several tables."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from bench.metrics import Floats
from bench.stats.intervals import LEVEL, MAX_BLOCK
from bench.stats.stepdown import scales, signs, step_down


@dataclass(frozen=True, slots=True)
class Standing:
    """Possible ranks of a row.

    Parameters
    ----------
    low, high : int
        Best and worst possible rank, from 1; all ranks of a table hold together with 95 %.
    tied : bool
        True if the row may be the best one: the best one is among these rows with 95 %.
    p : float
        p-value of "this row is the best", corrected for its comparisons with the other rows.
    """

    low: int
    high: int
    tied: bool
    p: float


def standings(units: Floats, higher_is_better: bool = True) -> list[Standing]:
    """Return the standing of every row, from paired differences of the rows in units of whole groups.

    Ranks are simultaneous confidence sets: a row ranks behind those that are better at 5 %, by a step-down
    test of all pairs whose null distribution flips the signs of units, which exchanges the predictions of two
    rows for whole groups. Flips are exact for few units too, where differences are symmetric around 0.

    Parameters
    ----------
    units : Floats
        `contributions` of two rows or more, shape=(n_rows, n_units), in `MIN_GROUPS` units or more.

    References
    ----------
    Mogstad, Romano, Shaikh and Wilhelm, "Inference for ranks with applications to mobility across
    neighbourhoods and academic achievement across countries", Review of Economic Studies 91, 2024. Edwards
    and Hsu, "Multiple comparisons with the best treatment", Journal of the American Statistical Association
    78, 1983. Canay, Romano and Shaikh, "Randomization tests under an approximate symmetry assumption",
    Econometrica 85, 2017 (flips of groups).
    """
    merits = units if higher_is_better else -units
    n_rows, n_units = merits.shape
    flips = signs(n_units) @ merits.T / n_units
    scale = scales(merits)
    best = _best(flips, scale)
    p = np.ones((n_rows, n_rows))
    first, second = np.triu_indices(n_rows, 1)
    p[first, second] = p[second, first] = step_down(_pairs(flips, scale))
    low, high = rank_sets(merits.mean(axis=1), p)
    return [
        Standing(
            low=int(low[row]),
            high=int(high[row]),
            tied=bool(best[row] >= 1 - LEVEL and low[row] == 1),
            p=best[row],
        )
        for row in range(n_rows)
    ]


def _pairs(flips: Floats, scale: Floats) -> Iterator[Floats]:
    """Yield the absolute differences of all pairs of rows, in blocks of draws; parameters as of `_best`."""
    first, second = np.triu_indices(len(scale), 1)
    size = max(1, MAX_BLOCK // len(first))
    for start in range(0, len(flips), size):
        block = flips[start : start + size]
        yield np.abs(block[:, first] - block[:, second]) / scale[first, second]


def _best(flips: Floats, scale: Floats) -> list[float]:
    """Return the p-value of "this row is the best" for every row, by the row that exceeds it most.

    Parameters
    ----------
    flips : Floats
        Mean merits of the rows, shape=(n_draws, n_rows).
    scale : Floats
        Scale of the difference of two rows, shape=(n_rows, n_rows).
    """
    p = []
    for row in range(flips.shape[1]):
        excess = (flips - flips[:, [row]]) / scale[row]
        largest = np.delete(np.vstack([excess, -excess]), row, axis=1).max(axis=1)
        p.append(float((largest >= largest[0] - 1e-12).mean()))
    return p


def rank_sets(merits: Floats, p: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the best and the worst possible rank of every row, each shape=(n_rows,).

    Parameters
    ----------
    merits : Floats
        Scores, higher is better, shape=(n_rows,).
    p : Floats
        Corrected p-value of the difference of two rows, shape=(n_rows, n_rows).
    """
    is_better = (merits[:, None] > merits) & (p < 1 - LEVEL)
    return 1 + is_better.sum(axis=0), len(merits) - is_better.sum(axis=1)


def critical_difference(n_systems: int, n_tables: int) -> float:
    """Return the smallest significant difference of mean ranks at a level of 5 %, by Nemenyi's test.

    Examples
    --------
    >>> round(critical_difference(n_systems=4, n_tables=14), 3)  # Demsar's figure 1
    1.254

    References
    ----------
    Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006, section 3.2.2.
    """
    q = stats.studentized_range.ppf(LEVEL, n_systems, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_systems * (n_systems + 1) / (6 * n_tables)))
