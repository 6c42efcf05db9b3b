"""Learning curves: scores by the share of the training groups that was learnt from."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from bench.report import figures, markdown
from bench.report.leaderboard import number
from bench.report.markdown import escaped
from bench.report.rows import Table
from bench.types import BASELINE, Score


def curves(table: Table) -> dict[str, dict[float, Score]]:
    """Return name -> share -> score of the rows that learnt from several shares, the best first."""
    found: dict[str, dict[float, Score]] = {}
    for row in (*table.rows, *table.smaller):
        if row.first.head != BASELINE:
            found.setdefault(table.name(row), {})[row.first.train_size] = row.scores[table.main]
    return {name: curve for name, curve in found.items() if len(curve) > 1}


def section(table: Table, found: Mapping[str, Mapping[float, Score]], figure: Path) -> str:
    """Return the Markdown of a table's learning curves."""
    sizes = sorted({size for curve in found.values() for size in curve})
    rows = [
        [escaped(name), *(number(curve[size]) if size in curve else "" for size in sizes)]
        for name, curve in found.items()
    ]
    headers = ["row", *(f"{size:g} of the groups" for size in sizes)]
    title = f"### {table.main} by training size: {table.task} on {escaped(table.title)}"
    body = markdown.table(rows, headers)
    return f"{title}\n\n{body}\n\n![learning curves]({quote(figure.as_posix())})"


def draw(table: Table, found: Mapping[str, Mapping[float, Score]], path: Path) -> None:
    """Write a table's learning curves as a figure."""
    words = figures.Axes(
        f"{table.task} on {table.title}", "share of the training groups", table.main, log=True
    )
    figures.lines(found, words, path)
