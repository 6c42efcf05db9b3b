"""Leaderboards, figures and confusion matrices from the store alone: no audio, no clock."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench import catalog
from bench._version import __version__
from bench.catalog import entrypoints
from bench.catalog.entrypoints import Plugin
from bench.embed.cache import Cache
from bench.errors import PluginError, UsageError, describe
from bench.keys import digest
from bench.metrics import METRICS, Predicted
from bench.report import across, confusion, leaderboard, learning, protocol, slices
from bench.report.rows import UNSAFE, Table, tables
from bench.report.writers import exports, html
from bench.store import Store, baseline
from bench.types import Result

__all__ = ["FORMATS", "Report", "publish", "updated", "write"]

FORMATS = {
    "md": "leaderboard.md",
    "html": "report.html",
    "csv": "leaderboard.csv",
    "json": "leaderboard.json",
    "latex": "leaderboard.tex",
    "model-index": "model-index.yml",
    "junit": "junit.xml",
}
"""What a report can be written as, and the name of its file."""


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
    return digest([__version__, shown, [dataclasses.asdict(each) for each in store.planned()]])


def write(
    *stores: Store,
    by: Sequence[str] = (),
    metrics: Sequence[str] = (),
    formats: Sequence[str] = ("md",),
    folder: Path | None = None,
    cache: Cache | None = None,
) -> Report:
    """Write the leaderboard of one or more runs; return what was written.

    Parameters
    ----------
    by : Sequence[str]
        Label columns whose values every table is sliced by, where its dataset has them.
    metrics : Sequence[str]
        Metrics to score the stored predictions by besides the tasks' own.
    formats : Sequence[str]
        Of `FORMATS`, or those of installed distributions, whose names are those of their files.
    folder : Path | None
        Where to write; the first run's own folder if None.
    cache : Cache | None
        What the HTML page takes the embeddings of its maps from; None for no maps.

    Raises
    ------
    UsageError
        If a store holds no run, runs contradict each other, a metric or format is unknown, or no dataset has
        one of the columns.
    """
    for name in metrics:
        catalog.find("metric", name, METRICS)
    theirs = entrypoints.installed().get("reports", {})
    for name in formats:
        catalog.find("format", name, {**theirs, **FORMATS})
    found = tables(stores, metrics)
    labels = {table.stem: list(table.labels().columns) for table in found if by}
    for column in by:
        if not any(column in names for names in labels.values()):
            named = {table.dataset: ", ".join(labels[table.stem][1:]) for table in found}
            known = "; ".join(f"{name} has {columns}" for name, columns in named.items())
            raise UsageError(f"--by {column}: there is no such label column; {known}")
    writer = _Writer(folder or stores[0].out)
    for table in found:
        columns = [column for column in by if table.rows and column in labels[table.stem]]
        writer.add(table, columns)
    ranking = across.ranking(found)
    if ranking:
        figure = writer.figure("mean-ranks.png")
        across.draw(ranking, writer.folder / figure)
        writer.say(across.section(ranking, figure))
    text = "\n\n".join([leaderboard.head(stores, found), *writer.sections, protocol.section(stores)]) + "\n"
    paths = []
    for name in dict.fromkeys(formats):
        if name == "md":
            made = text
        elif name == "html":
            made = html.text(stores, found, writer.sliced, cache)
        elif name in FORMATS:
            made = exports.MADE[name](found)
        else:
            made = _theirs(theirs[name], found)
        path = writer.folder / FORMATS.get(name, name.rpartition("/")[2])
        path.write_text(made, encoding="utf-8")
        paths.append(path)
    return Report("\n\n".join(writer.texts), [*paths, *writer.figures])


def _theirs(plugin: Plugin, found: Sequence[Table]) -> str:
    """Return what an installed distribution's format makes of what leaderboard.json holds.

    Raises
    ------
    PluginError
        If it cannot be imported, raises, or makes no text.
    """
    make = plugin.load()
    try:
        made = make(exports.content(found))
    except Exception as error:
        raise PluginError(f"{plugin.source}: '{plugin.name}' raised {describe(error)}") from error
    if not isinstance(made, str):
        raise PluginError(f"{plugin.source}: '{plugin.name}' made {type(made).__name__}; expected a text")
    return made


def publish(*stores: Store, folder: Path, formats: Sequence[str] = ("md",), **asked: Any) -> Report:
    """Write a report as a forge shows it, in a folder that is kept in git; return what was written.

    README.md is its leaderboard, leaderboard.csv its numbers, and baseline.jsonl, unless it is there already,
    what `bench compare` holds later runs against. Figures of an earlier publication that this one has not are
    removed.

    Parameters
    ----------
    asked
        As of `write`.

    Raises
    ------
    UsageError
        As of `write`; or if the folder has a README.md that is no leaderboard.
    """
    readme = folder / "README.md"
    if readme.exists() and not readme.read_text(encoding="utf-8").startswith(leaderboard.TITLE):
        raise UsageError(f"{readme}: is no leaderboard, and would be lost; publish to a folder of its own")
    written = write(*stores, folder=folder, formats=["md", "csv", *formats], **asked)
    markdown, *others = written.paths
    paths = [markdown.replace(readme), *others]
    for kind in ("figures", "confusion"):
        for path in (folder / kind).glob("*.png"):
            if path not in paths:
                path.unlink()
    kept = folder / f"baseline{baseline.SUFFIX}"
    if not kept.exists():
        baseline.write(baseline.joined([baseline.side(store.out) for store in stores]), kept)
        paths.append(kept)
    return Report(written.text, paths)


class _Writer:
    """The sections of a leaderboard and its figures, as they come."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.texts: list[str] = []
        """What a terminal shows: the tables."""
        self.sections: list[str] = []
        self.figures: list[Path] = []
        self.sliced: dict[str, dict[str, pd.DataFrame]] = {}
        """The scores by every column asked for, by the stem of their table."""

    def say(self, text: str) -> None:
        """Add a section to both."""
        self.texts.append(text)
        self.sections.append(text)

    def figure(self, name: str) -> Path:
        """Take note of a figure, and return its path as the leaderboard names it."""
        path = Path("figures") / name
        self.figures.append(self.folder / path)
        return path

    def add(self, table: Table, columns: Sequence[str]) -> None:
        """Add everything that is to be said of a table."""
        self.say(leaderboard.section(table))
        if not table.rows:
            return
        if by_head := leaderboard.matrix(table):
            self.sections.append(by_head)
        if table.protocol["permuted"]:
            self.say(leaderboard.leaks(table))
        for column in columns:
            frame = slices.scores(table, column)
            self.sliced.setdefault(table.stem, {})[column] = frame
            path = Path("figures") / f"{table.stem}-by-{UNSAFE.sub('_', column)}.png"
            drawn = slices.draw(table, column, frame, self.folder / path)
            self.figures += [self.folder / path] * drawn
            self.say(slices.section(table, column, frame, path if drawn else None))
        curves = learning.curves(table)
        if curves:
            figure = self.figure(f"{table.stem}-learning.png")
            learning.draw(table, curves, self.folder / figure)
            self.say(learning.section(table, curves, figure))
        if len(table.rows) > 1:
            self.sections.append(leaderboard.against_the_best(table))
        if table.best:
            self._confused(table, table.best.first)

    def _confused(self, table: Table, best: Result) -> None:
        """Add the confusion matrix and the scores per class of the best row."""
        predictions = table.predictions(best)
        matrix = confusion.matrix(predictions)
        path = self.folder / "confusion" / f"{table.stem}-{best.key[:8]}.png"
        title = f"{table.task} on {table.title}: {best.extractor}, {best.head}"
        confusion.draw(matrix, title, path)
        self.figures.append(path)
        self.sections.append(confusion.section(matrix, title, path.relative_to(self.folder)))
        self.sections.append(confusion.per_class_section(Predicted.of(predictions)))
