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
from bench.report.document import EMPTY, Block, Cell, Grid, Paragraph, Picture, Section, Text, cell, text
from bench.report.figures import RankDiagram
from bench.report.rows import Table
from bench.stats import N_DRAWS, critical_difference
from bench.stats.intervals import quantiles
from bench.types import System

MIN_TABLES = 5
"""Fewest tables for a critical difference."""

MAX_SHARE = 0.6
"""Largest critical difference that is drawn, as a share of the axis."""


@dataclass(frozen=True, slots=True)
class SystemRank:
    """A system over several tables.

    Parameters
    ----------
    rank, low, high : float
        Mean rank, from 1, with its 95 % interval by a bootstrap over the tables.
    wins : int
        Number of tables in which it is first.
    among_best, n_ranked : int
        Number of tables in which it cannot be told from the first, and of those that tell rows apart.
    """

    system: System
    rank: float
    low: float
    high: float
    wins: int
    among_best: int
    n_ranked: int


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

    @property
    def can_tell(self) -> bool:
        """Return whether the tables are enough to tell many mean ranks apart."""
        return self.n_tables >= MIN_TABLES and self.critical <= MAX_SHARE * (len(self.systems) - 1)


def ranking(tables: Sequence[Table]) -> Ranking | None:
    """Return the ranking of the systems that all tables share; None for fewer than two tables or systems."""
    ranked = [table for table in tables if table.rows]
    rows = [{row.system: row for row in table.learners} for table in ranked]
    if len(rows) < 2:
        return None
    systems = [system for system in rows[0] if all(system in part for part in rows)]
    if len(systems) < 2:
        return None
    ranks = _ranks(ranked, systems)
    wins = (ranks == ranks.min(axis=1, keepdims=True)).sum(axis=0)
    low, high = mean_rank_bounds(ranks)
    results = [
        SystemRank(
            system=system,
            rank=float(ranks[:, column].mean()),
            low=float(low[column]),
            high=float(high[column]),
            wins=int(wins[column]),
            among_best=sum(part[system].may_be_best for part in rows),
            n_ranked=sum(part[system].standing is not None for part in rows),
        )
        for column, system in enumerate(systems)
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


def mean_rank_bounds(ranks: Floats) -> tuple[Floats, Floats]:
    """Return the bounds of the mean ranks, each shape=(n_systems,), from ranks, shape=(n_tables, n_systems).

    Tables are drawn with replacement, `N_DRAWS` times; quantiles are widened for few tables.
    """
    rng = np.random.default_rng(0)
    draws = rng.integers(len(ranks), size=(N_DRAWS, len(ranks)))
    means = ranks[draws].mean(axis=1)
    bounds = np.array([quantiles(column, len(ranks)) for column in means.T])
    return bounds[:, 0], bounds[:, 1]


def section(tables: Sequence[Table]) -> Section | None:
    """Return the mean ranks over all tables; None for fewer than two tables or systems."""
    result = ranking(tables)
    if result is None:
        return None
    names = display.names(item.system for item in result.systems)
    rows = tuple(
        (
            cell(names[item.system]),
            cell(item.rank, f"{item.rank:.2f} [{item.low:.1f}, {item.high:.1f}]"),
            cell(item.wins),
            _among_best(item, result.n_tables),
        )
        for item in result.systems
    )
    grid = Grid(("row", "mean rank", "wins", "among the best"), rows)
    blocks: list[Block] = [Paragraph(_note(result)), grid]
    if result.can_tell:
        figure = RankDiagram({names[item.system]: item.rank for item in result.systems}, result.critical)
        blocks.append(Picture("mean ranks", figure, "figures/mean-ranks.png"))
    return Section("Across tables", 2, tuple(blocks), media=frozenset({"terminal", "markdown"}))


def _among_best(item: SystemRank, n_tables: int) -> Cell:
    """Return in how many tables a row may be the best, of those with ranks; an empty cell without any."""
    if not item.n_ranked:
        return EMPTY
    tables = f" of {item.n_ranked}" if item.n_ranked < n_tables else ""
    return cell(item.among_best, f"{item.among_best}{tables}")


def _note(result: Ranking) -> Text:
    """Return what mean ranks can tell apart."""
    start = f"Mean ranks over {result.n_tables} tables, with intervals from a bootstrap over the tables."
    if not result.can_tell:
        return text(f"{start} The tables are too few to tell most of the {len(result.systems)} rows apart.")
    test = "" if np.isnan(result.p) else f" Friedman's test that all rank alike: p = {result.p:.4f}."
    limit = f"differ by less than {result.critical:.2f} cannot be told apart (Nemenyi's test, 5 %)"
    return text(f"{start} Mean ranks that {limit}.{test}")
