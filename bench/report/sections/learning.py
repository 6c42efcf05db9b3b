"""Learning curves: scores by the share of the training groups."""

from collections.abc import Mapping
from dataclasses import replace

from bench import display
from bench.report import words
from bench.report.document import Grid, Picture, Section, cell
from bench.report.figures import Axis, Lines
from bench.report.rows import Table
from bench.types import Score, System


def curves(table: Table) -> dict[System, dict[float, Score]]:
    """Return system -> training share -> score for the systems with several shares, the best first."""
    lines: dict[System, dict[float, Score]] = {}
    for row in (*table.rows, *table.smaller):
        if not row.is_baseline:
            line = lines.setdefault(replace(row.system, train_size=1.0), {})
            line[row.system.train_size] = table.ranking(row)
    return {system: line for system, line in lines.items() if len(line) > 1}


def section(table: Table) -> Section | None:
    """Return the learning curves of a table; None if every system has one share."""
    lines = curves(table)
    if not lines:
        return None
    names = display.names(replace(row.system, train_size=1.0) for row in (*table.rows, *table.smaller))
    curve_of: Mapping[str, Mapping[float, Score]] = {names[item]: line for item, line in lines.items()}
    shares = sorted({share for line in lines.values() for share in line})
    rows = tuple(
        (cell(name), *(words.score_cell(line.get(share)) for share in shares))
        for name, line in curve_of.items()
    )
    x, y = Axis("share of the training groups", log=True), Axis(table.metric)
    figure = Lines(words.title(table), x, y, curve_of)
    return Section(
        f"{table.metric} by training size: {words.title(table)}",
        3,
        (
            Grid(("row", *(f"{share:g} of the groups" for share in shares)), rows),
            Picture("learning curves", figure, f"figures/{table.stem}-learning.png"),
        ),
        table=table.stem,
    )
