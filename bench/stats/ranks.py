"""Ranks of systems: ranges within one table, and mean ranks over several tables."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from bench.metrics import Floats
from bench.stats.intervals import LEVEL
from bench.stats.tests import holm, p_values


@dataclass(frozen=True, slots=True)
class Standing:
    """Possible ranks of a row.

    Parameters
    ----------
    low, high : int
        Best and worst possible rank, from 1.
    tied : bool
        True if the row does not differ significantly from the best row.
    p : float
        p-value of the difference from the best row, corrected by Holm for all pairs of rows.
    """

    low: int
    high: int
    tied: bool
    p: float


def untested(n_rows: int) -> list[Standing]:
    """Return the standing of rows that no test tells apart: every rank is possible."""
    return [Standing(low=1, high=n_rows, tied=True, p=1.0)] * n_rows


def standings(
    values: Floats, samples: Floats, n_groups: int, higher_is_better: bool = True
) -> list[Standing]:
    """Return the standing of every row, from the differences of all pairs of rows.

    Parameters
    ----------
    values : np.ndarray, shape=(n_rows,)
        Scores.
    samples : np.ndarray, shape=(n_rows, n_draws)
        `draws` of every row for the same clips.
    """
    n_rows = len(values)
    if n_rows == 1 or n_groups < 2:
        return untested(n_rows)
    merit = values if higher_is_better else -values
    first, second = np.triu_indices(n_rows, 1)
    pair_p = [
        p
        for i in range(n_rows - 1)
        for p in p_values(values[i] - values[i + 1 :], samples[i] - samples[i + 1 :], n_groups)
    ]
    p = np.ones((n_rows, n_rows))
    p[first, second] = p[second, first] = holm(pair_p)
    is_better: npt.NDArray[np.bool_] = (merit[:, None] > merit) & (p < 1 - LEVEL)
    best = int(np.argmax(merit))
    return [
        Standing(
            low=1 + int(is_better[:, row].sum()),
            high=n_rows - int(is_better[row].sum()),
            tied=not is_better[best, row],
            p=float(p[best, row]) if row != best else 1.0,
        )
        for row in range(n_rows)
    ]


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
