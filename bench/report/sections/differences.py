"""Paired differences of the rows of a table from its best row."""

from bench import stats
from bench.metrics import METRICS
from bench.report import words
from bench.report.document import EMPTY, Cell, Grid, Paragraph, Section, cell, code, text
from bench.report.rows import Table

NOTE = text(
    "Differences are paired clip by clip, with the first seed of each row. ",
    code("p"),
    " and the interval are from the bootstrap over groups, ",
    code("p, best"),
    " is that of the row being the best, corrected for its comparisons with all others, and ",
    code("p, permutation"),
    " exchanges whole groups.",
)

MCNEMAR = text(code("p, McNemar"), " takes every clip as a group.")


def section(table: Table) -> Section | None:
    """Return how the rows differ from the best one; None for a single row or a single group."""
    if len(table.rows) < 2:
        return None
    best, *others = table.rows
    names = words.names(table)
    predictions = table.predictions(best.first)
    of_clips = predictions["group"].is_unique
    rows: list[tuple[Cell, ...]] = []
    for row in others:
        comparison = stats.paired(METRICS[table.metric], table.predictions(row.first), predictions)
        if comparison is None:
            return None
        less = comparison.difference
        rows.append(
            (
                cell(names[row.system]),
                cell(-less.value, f"{-less.value:.3f} [{-less.high:.3f}, {-less.low:.3f}]"),
                words.chance_cell(less.p),
                words.chance_cell(row.standing.p) if row.standing else EMPTY,
                words.chance_cell(comparison.permutation),
                *([words.chance_cell(comparison.mcnemar)] if of_clips else []),
            )
        )
    headers = ("row", f"{table.metric} less", "p", "p, best", "p, permutation")
    return Section(
        f"Against the best: {words.title(table)}, {names[best.system]}",
        3,
        (
            Paragraph((*NOTE, *text(" "), *MCNEMAR) if of_clips else NOTE),
            Grid((*headers, "p, McNemar") if of_clips else headers, tuple(rows)),
        ),
        media=frozenset({"markdown"}),
        table=table.stem,
    )
