"""Several tables at once: mean ranks, wins, and the critical difference of mean ranks.

References
----------
Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench import display
from bench.metrics import METRICS, Floats
from bench.report.document import Grid, Paragraph, Picture, Section, cell, text
from bench.report.figures import RankDiagram
from bench.report.rows import Table
from bench.stats import critical_difference
from bench.types import System


@dataclass(frozen=True, slots=True)
class SystemRank:
    """A system over several tables.

    Parameters
    ----------
    rank : float
        Mean rank, from 1.
    wins : int
        Number of tables in which it is first.
    among_best : int
        Number of tables in which it cannot be told from the first.
    """

    system: System
    rank: float
    wins: int
    among_best: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """Systems over several tables.

    Parameters
    ----------
    systems : tuple[SystemRank, ...]
        The best first.
    p : float
        Friedman's test that all systems rank alike; NaN for two systems.
    critical : float
        Difference of mean ranks from which two systems differ, by Nemenyi's test.
    """

    systems: tuple[SystemRank, ...]
    n_tables: int
    p: float
    critical: float


def ranking(tables: Sequence[Table]) -> Ranking | None:
    """Return the ranking of the systems that all tables share; None for fewer than two tables or systems."""
    ranked = [table for table in tables if table.rows]
    rows = [{row.system: row for row in table.rows} for table in ranked]
    if len(rows) < 2:
        return None
    systems = [system for system in rows[0] if all(system in part for part in rows)]
    if len(systems) < 2:
        return None
    ranks = _ranks(ranked, systems)
    wins = (ranks == ranks.min(axis=1, keepdims=True)).sum(axis=0)
    results = [
        SystemRank(system, float(rank), int(n_wins), sum(part[system].standing.tied for part in rows))
        for system, rank, n_wins in zip(systems, ranks.mean(axis=0), wins, strict=True)
    ]
    return Ranking(
        systems=tuple(sorted(results, key=lambda result: result.rank)),
        n_tables=len(rows),
        p=float(stats.friedmanchisquare(*ranks.T).pvalue) if len(systems) > 2 else np.nan,
        critical=critical_difference(len(systems), len(rows)),
    )


def _ranks(tables: Sequence[Table], systems: Sequence[System]) -> Floats:
    """Return the rank of every system in every table, shape=(n_tables, n_systems)."""
    merits = []
    for table in tables:
        sign = 1 if METRICS[table.metric].higher_is_better else -1
        values = {row.system: table.ranking(row).value for row in table.rows}
        merits.append([sign * values[system] for system in systems])
    ranks: Floats = stats.rankdata(-np.array(merits), axis=1)
    return ranks


def section(tables: Sequence[Table]) -> Section | None:
    """Return the mean ranks over all tables; None for fewer than two tables or systems."""
    result = ranking(tables)
    if result is None:
        return None
    names = display.names(item.system for item in result.systems)
    rows = tuple(
        (
            cell(names[item.system]),
            cell(item.rank, f"{item.rank:.2f}"),
            cell(item.wins),
            cell(item.among_best),
        )
        for item in result.systems
    )
    test = "" if np.isnan(result.p) else f" Friedman's test that all rank alike: p = {result.p:.4f}."
    note = text(
        f"Mean ranks over {result.n_tables} tables. Mean ranks that differ by less than "
        f"{result.critical:.2f} cannot be told apart (Nemenyi's test, 5 %).{test}"
    )
    figure = RankDiagram({names[item.system]: item.rank for item in result.systems}, result.critical)
    grid = Grid(("row", "mean rank", "wins", "among the best"), rows)
    picture = Picture("mean ranks", figure, "figures/mean-ranks.png")
    blocks = (Paragraph(note), grid, picture)
    return Section("Across tables", 2, blocks, media=frozenset({"terminal", "markdown"}))
