"""Texts of tables, rows and numbers in a report."""

from collections.abc import Mapping

import numpy as np

from bench import display
from bench.report.document import EMPTY, Cell, cell, text
from bench.report.rows import Row, Table
from bench.stats import Standing
from bench.stats.confidence import MIN_EFFECTIVE, MIN_FAILING, UNSEEN_SHARE
from bench.types import Cost, Score, System, Unbounded

UNBOUNDED: Mapping[Unbounded, str] = {
    "few_groups": f"their groups are worth fewer than {MIN_EFFECTIVE:g} groups of equal size",
    "rare_failures": f"fewer than {MIN_FAILING} groups have an error, so that one group in "
    f"{1 / UNSEEN_SHARE:.0f} may fail altogether unseen",
}
"""Why groups are too few to bound a score, in the words of a note; its cell says that they are."""


def title(table: Table) -> str:
    """Return the task and the dataset of a table, with marks that warn of its numbers."""
    return display.table(dataset(table), table.task.name)


def dataset(table: Table) -> str:
    """Return the dataset of a table, with the split if another table differs in it, and warnings."""
    marks = []
    if table.variant:
        split = display.split(table.protocol.split) if table.protocol else "no split"
        marks.append(f"{split}, {table.variant}")
    if table.source.synthetic:
        marks.append("synthetic")
    if table.leaky:
        marks.append("leaky split")
    if table.permuted:
        marks.append("labels permuted")
    return f"{table.dataset} ({', '.join(marks)})" if marks else table.dataset


def names(table: Table) -> dict[System, str]:
    """Return the short name of the system of every row."""
    return display.names(row.system for row in table.lines)


def name(table: Table, row: Row) -> str:
    """Return the short name of a row."""
    return names(table)[row.system]


def normalised(column: str) -> str:
    """Return what a reader has to know of features that are z-scored per group."""
    return (
        f"Rows marked '{display.normalisation(column)}': every feature is z-scored over all clips of each "
        f"{column}, tested ones too, without labels. Such a score needs other clips of the tested {column}."
    )


def ranks(standing: Standing | None) -> str:
    """Return the possible ranks; empty for None.

    Examples
    --------
    >>> ranks(Standing(low=1, high=3, tied=True, p=1.0))
    '1-3'
    """
    if standing is None:
        return ""
    return str(standing.low) if standing.low == standing.high else f"{standing.low}-{standing.high}"


def number(score: Score | None) -> str:
    """Return a score with its interval, if it has one; empty for None."""
    return "" if score is None else value(score) + interval(score)


def score_cell(score: Score | None) -> Cell:
    """Return the cell of a score; an empty one for None."""
    return EMPTY if score is None else cell(score.value, number(score))


def expected_cell(row: Row) -> Cell:
    """Return the interval of a row's expected score; an empty cell without one."""
    if row.expected is None:
        return EMPTY
    low, high = row.expected
    return cell(low, f"{low:.2f} to {high:.2f}")


def value(score: Score) -> str:
    """Return the value of a score."""
    return f"{score.value:.{decimals(score)}f}"


def interval(score: Score) -> str:
    """Return the interval of a score after a space, or that its groups allow none; empty without either.

    Examples
    --------
    >>> interval(Score("f1", 0.9, low=0.85, high=0.94)), interval(Score("f1", 1.0, unbounded="few_groups"))
    (' [0.85, 0.94]', ' (too few groups to bound)')
    """
    n = decimals(score)
    if score.low is None:
        return " (too few groups to bound)" if score.unbounded in UNBOUNDED else ""
    return f" [{score.low:.{n}f}, {score.high:.{n}f}]"


def decimals(score: Score) -> int:
    """Return the number of decimals that the interval justifies: its half's first digit, two to four.

    Examples
    --------
    >>> decimals(Score("f1", 0.9, low=0.85, high=0.94)), decimals(Score("f1", 0.99, low=0.985, high=0.995))
    (2, 3)
    """
    if score.low is None or score.high is None or score.high <= score.low:
        return 3
    return int(np.clip(np.ceil(-np.log10((score.high - score.low) / 2)), 2, 4))


def about(seconds: float) -> str:
    """Return a time in one digit, which another run on the same machine seldom changes.

    Examples
    --------
    >>> about(0.0347), about(7.2), about(1283.0)
    ('0.03', '7', '1000')
    """
    return np.format_float_positional(float(f"{seconds:.0e}"), trim="-")


def chance(p: float) -> str:
    """Return a probability in four decimals.

    Examples
    --------
    >>> chance(0.00001), chance(0.0312)
    ('<0.0001', '0.0312')
    """
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def chance_cell(p: float) -> Cell:
    """Return the cell of a probability."""
    return cell(p, chance(p))


def heading(name: str) -> str:
    """Return the heading of a cost.

    Examples
    --------
    >>> heading("fit_s"), heading("extract_cpu_s")
    ('fit s', 'extract cpu s/s')
    """
    return name.replace("_", " ") + ("/s" if name in Cost.rates() else "")


def cost_cell(cost: Cost, name: str) -> Cell:
    """Return the cell of a cost, or of its rate per second of audio; a dash if it was not measured."""
    value = cost.rate(name) if name in Cost.rates() else getattr(cost, name)
    if value is None:
        return Cell(None, text("-"))
    return cell(value, about(value) if isinstance(value, float) else str(value))
