"""Bayesian comparison of the first row of the mean ranks with the next ones, over all tables."""

from collections.abc import Sequence

import numpy as np

from bench import display
from bench.catalog.requirements import installation
from bench.errors import UsageError, one_line
from bench.metrics import METRICS, Floats
from bench.report.document import Grid, Paragraph, Section, cell, text
from bench.report.rows import Table
from bench.report.sections import across
from bench.stats.bayes import hierarchical
from bench.types import System

ROPE = 0.01
"""Largest difference of scores that are alike in practice, as in the literature."""

N_OTHERS = 4
"""Number of rows that are compared with the first one; each takes a minute."""


def section(tables: Sequence[Table]) -> Section:
    """Return the probabilities that the first row is better than others on a further data set.

    Raises
    ------
    UsageError
        If the tables share no two rows, differ in the metric or the number of folds, or baycomp is missing.
    """
    ranking = across.ranking(tables)
    ranked = [table for table in tables if table.rows]
    if ranking is None:
        raise UsageError("--bayes: expected two tables or more that share two rows or more")
    metrics = sorted({table.metric for table in ranked})
    n_folds = sorted({len(table.ranking(row).folds) for table in ranked for row in table.learners})
    if len(metrics) > 1 or len(n_folds) > 1 or n_folds[0] < 2:
        raise UsageError(
            f"--bayes: the tables have the metrics {', '.join(metrics)} and {n_folds} folds; "
            "expected one metric and one number of folds, two or more"
        )
    first, *others = (item.system for item in ranking.systems)
    rows = []
    for other in others[:N_OTHERS]:
        try:
            chances = hierarchical(_folds(ranked, first), _folds(ranked, other), ROPE)
        except ImportError as error:
            raise UsageError(f"--bayes: run: {installation('bayes')}") from error
        except (RuntimeError, ValueError, OSError) as error:  # of Stan, which compiles its model
            problem = f"Stan cannot compile or sample the model ({one_line(error)[:200]})"
            raise UsageError(f"--bayes: {problem}; expected a C++ compiler that works") from error
        rows.append((other, chances))
    return _section(first, rows)


def _folds(tables: Sequence[Table], system: System) -> Floats:
    """Return the scores of a system's folds, higher is better, shape=(n_tables, n_folds)."""
    rows = [next(row for row in table.rows if row.system == system) for table in tables]
    sign = 1 if METRICS[tables[0].metric].higher_is_better else -1
    return np.array([table.ranking(row).folds for table, row in zip(tables, rows, strict=True)]) * sign


def _section(first: System, rows: Sequence[tuple[System, tuple[float, float, float]]]) -> Section:
    names = display.names([first, *(other for other, _ in rows)])
    note = text(
        f"Probabilities that on a further data set {names[first]} is better than a row, that both differ by "
        f"{ROPE:.0%} at most, and that it is worse: hierarchical model of the folds of all tables (baycomp)."
    )
    lines = tuple(
        (cell(names[other]), *(cell(chance, f"{chance:.2f}") for chance in chances))
        for other, chances in rows
    )
    grid = Grid(("row", "better", "alike", "worse"), lines)
    title = f"Bayesian comparison: {names[first]}"
    return Section(title, 3, (Paragraph(note), grid), media=frozenset({"terminal", "markdown"}))
