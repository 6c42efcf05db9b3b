"""Leaderboards, figures and confusion matrices from the store alone: no audio, no clock."""

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bench
from bench import registry
from bench.errors import UsageError
from bench.metrics import METRICS, Predicted
from bench.report import across, confusion, leaderboard, learning, protocol, slices
from bench.report.tables import Table, tables
from bench.store import Store
from bench.types import Result, digest

__all__ = ["Report", "updated", "write"]

UNSAFE = re.compile(r"[^\w.-]")
"""What no part of a file's name is made of."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and the text of the tables."""

    text: str
    paths: Sequence[Path]


def updated(store: Store) -> Report:
    """Return the report of the newest run, written again only if that is not what it was made of."""
    made_of = _made_of(store)
    known = store.report()
    if known and known["made_of"] == made_of and all((store.out / path).is_file() for path in known["paths"]):
        return Report(known["text"], [store.out / path for path in known["paths"]])
    written = write(store)
    paths = [str(path.relative_to(store.out)) for path in written.paths]
    store.write_report({"made_of": made_of, "text": written.text, "paths": paths})
    return written


def _made_of(store: Store) -> str:
    """Return the digest of all that a report shows."""
    run = store.run()
    shown = {name: run[name] for name in ("command", "finished", "env", "datasets", "tables")}
    return digest([bench.__version__, shown, [dataclasses.asdict(each) for each in store.planned()]])


def write(store: Store, by: Sequence[str] = (), metrics: Sequence[str] = ()) -> Report:
    """Write leaderboard.md and its figures; return what was written.

    Parameters
    ----------
    by : Sequence[str]
        Label columns whose values every table is sliced by, where its dataset has them.
    metrics : Sequence[str]
        Metrics to score the stored predictions by besides the tasks' own.

    Raises
    ------
    UsageError
        If the store holds no run, a metric is unknown, or no dataset has one of the columns.
    """
    for name in metrics:
        registry.find("metric", name, METRICS)
    found = tables(store, metrics)
    labels = {table.dataset: list(store.labels(table.dataset).columns) for table in found if by}
    for column in by:
        if not any(column in names for names in labels.values()):
            known = "; ".join(f"{name} has {', '.join(names[1:])}" for name, names in labels.items())
            raise UsageError(f"--by {column}: there is no such label column; {known}")
    writer = _Writer(store)
    for table in found:
        columns = [column for column in by if table.rows and column in labels[table.dataset]]
        writer.add(table, columns)
    ranking = across.ranking(found)
    if ranking:
        figure = writer.figure("mean-ranks.png")
        across.draw(ranking, store.out / figure)
        writer.say(across.section(ranking, figure))
    writer.sections.append(protocol.section(store))
    path = store.out / "leaderboard.md"
    path.write_text("\n\n".join([leaderboard.head(store), *writer.sections]) + "\n", encoding="utf-8")
    return Report("\n\n".join(writer.texts), [path, *writer.figures])


class _Writer:
    """The sections of a leaderboard and its figures, as they come."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.texts: list[str] = []
        """What a terminal shows: the tables."""
        self.sections: list[str] = []
        self.figures: list[Path] = []

    def say(self, text: str) -> None:
        """Add a section to both."""
        self.texts.append(text)
        self.sections.append(text)

    def figure(self, name: str) -> Path:
        """Take note of a figure, and return its path as the leaderboard names it."""
        path = Path("figures") / name
        self.figures.append(self.store.out / path)
        return path

    def add(self, table: Table, columns: Sequence[str]) -> None:
        """Add everything that is to be said of a table."""
        self.say(leaderboard.section(table))
        if not table.rows:
            return
        stem = f"{table.dataset}-{table.task}"
        if table.protocol["permuted"]:
            self.say(leaderboard.leaks(self.store, table))
        for column in columns:
            frame = slices.scores(self.store, table, column)
            path = Path("figures") / f"{stem}-by-{UNSAFE.sub('_', column)}.png"
            drawn = slices.draw(table, column, frame, self.store.out / path)
            self.figures += [self.store.out / path] * drawn
            self.say(slices.section(table, column, frame, path if drawn else None))
        curves = learning.curves(table)
        if curves:
            figure = self.figure(f"{stem}-learning.png")
            learning.draw(table, curves, self.store.out / figure)
            self.say(learning.section(table, curves, figure))
        if len(table.rows) > 1:
            self.sections.append(leaderboard.against_the_best(self.store, table))
        if table.best:
            self._confused(table, table.best.first)

    def _confused(self, table: Table, best: Result) -> None:
        """Add the confusion matrix and the scores per class of the best row."""
        predictions = self.store.predictions(best.key)
        matrix = confusion.matrix(predictions)
        path = self.store.out / "confusion" / f"{table.dataset}-{table.task}-{best.key[:8]}.png"
        title = f"{table.task} on {table.title}: {best.extractor}, {best.head}"
        confusion.draw(matrix, title, path)
        self.figures.append(path)
        self.sections.append(confusion.section(matrix, title, path.relative_to(self.store.out)))
        self.sections.append(confusion.per_class_section(Predicted.of(predictions)))
