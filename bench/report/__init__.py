"""Leaderboards and confusion matrices from the store alone: no audio, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import confusion, leaderboard
from bench.report.leaderboard import Table
from bench.store import Store

__all__ = ["Report", "Table", "write"]


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and the text of the tables."""

    text: str
    paths: Sequence[Path]


def write(store: Store) -> Report:
    """Write leaderboard.md and a confusion matrix of every table's best row; return what was written.

    Raises
    ------
    UsageError
        If the store holds no run.
    """
    tables = leaderboard.tables(store)
    figures: list[Path] = []
    sections = []
    for table in tables:
        sections.append(leaderboard.section(table))
        best = table.best
        if best is None:
            continue
        matrix = confusion.matrix(store.predictions(best.key))
        path = store.out / "confusion" / f"{table.dataset}-{table.task}-{best.key[:8]}.png"
        title = f"{table.task} on {table.title}: {best.extractor}, {best.head}"
        confusion.draw(matrix, title, path)
        figures.append(path)
        sections.append(confusion.section(matrix, title, path.relative_to(store.out)))
    path = store.out / "leaderboard.md"
    path.write_text("\n\n".join([leaderboard.head(store), *sections]) + "\n", encoding="utf-8")
    text = "\n\n".join(leaderboard.section(table) for table in tables)
    return Report(text, [path, *figures])
