"""Leaderboards and confusion matrices from the store alone: no audio, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.report import confusion, leaderboard, slices
from bench.store import Store

__all__ = ["Report", "write"]


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and the text of the tables."""

    text: str
    paths: Sequence[Path]


def write(store: Store, by: Sequence[str] = ()) -> Report:
    """Write leaderboard.md and a confusion matrix of every table's best row; return what was written.

    Parameters
    ----------
    by : Sequence[str]
        Label columns whose values every table is sliced by, where its dataset has them.

    Raises
    ------
    UsageError
        If the store holds no run, or no dataset has one of the columns.
    """
    tables = leaderboard.tables(store)
    labels = {table.dataset: list(store.labels(table.dataset).columns) for table in tables if by}
    for column in by:
        if not any(column in names for names in labels.values()):
            known = "; ".join(f"{name} has {', '.join(names[1:])}" for name, names in labels.items())
            raise UsageError(f"--by {column}: there is no such label column; {known}")
    figures: list[Path] = []
    texts, sections = [], []
    for table in tables:
        columns = [column for column in by if table.rows and column in labels[table.dataset]]
        texts.append(leaderboard.section(table))
        texts += [slices.section(store, table, column) for column in columns]
        sections += texts[-1 - len(columns) :]
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
    return Report("\n\n".join(texts), [path, *figures])
