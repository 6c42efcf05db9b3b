"""Learning curves: scores by the share of the training groups."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from bench.report import figures, markdown
from bench.report.leaderboard import number
from bench.report.markdown import escaped
from bench.report.rows import Table
from bench.types import Score


def curves(table: Table) -> dict[str, dict[float, Score]]:
    """Return name -> share -> score of the rows that learnt from several shares, the best first."""
    by_name: dict[str, dict[float, Score]] = {}
    for row in (*table.rows, *table.smaller):
        if not row.is_baseline:
            by_name.setdefault(table.name(row), {})[row.first.train_size] = table.ranking(row)
    return {name: curve for name, curve in by_name.items() if len(curve) > 1}


def section(table: Table, curves: Mapping[str, Mapping[float, Score]], figure: Path) -> str:
    """Return the Markdown of a table's learning curves."""
    sizes = sorted({size for curve in curves.values() for size in curve})
    rows = [
        [escaped(name), *(number(curve[size]) if size in curve else "" for size in sizes)]
        for name, curve in curves.items()
    ]
    headers = ["row", *(f"{size:g} of the groups" for size in sizes)]
    title = f"### {table.main} by training size: {table.task} on {escaped(table.title)}"
    body = markdown.table(rows, headers)
    return f"{title}\n\n{body}\n\n![learning curves]({quote(figure.as_posix())})"


def draw(table: Table, curves: Mapping[str, Mapping[float, Score]], path: Path) -> None:
    """Write a table's learning curves as a figure."""
    axes = figures.Axes(
        f"{table.task} on {table.title}", "share of the training groups", table.main, log=True
    )
    figures.lines(curves, axes, path)
