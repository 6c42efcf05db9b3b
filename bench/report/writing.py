"""Reports on disk: written for a run, and updated when its results change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench import catalog
from bench._version import __version__
from bench.catalog import entrypoints
from bench.catalog.entrypoints import Plugin
from bench.embed.cache import Cache
from bench.errors import PluginError, UsageError, describe
from bench.files import replace_text, replacing, sha256
from bench.keys import digest
from bench.metrics import METRICS
from bench.report.document import Picture
from bench.report.rows import Table
from bench.report.sections import Content, content
from bench.report.sections import bayes as comparison
from bench.report.tables import tables
from bench.report.writers import FORMATS, json, markdown
from bench.sharing import without_folders
from bench.store import ReportRecord, Store


@dataclass(frozen=True, slots=True)
class Report:
    """A report on disk.

    Parameters
    ----------
    text : str
        The tables, for a terminal.
    paths : Sequence[Path]
        Its files.
    """

    text: str
    paths: Sequence[Path]


def updated(store: Store) -> Report:
    """Return the report of the newest run; write it only if its content changed or a file is gone."""
    last = store.report()
    if last and last.made_of == _digest(store) and not changed_files(store, last):
        return Report(last.text, [store.out / path for path in last.files])
    return write(store)


def changed_files(store: Store, record: ReportRecord) -> list[str]:
    """Return the files of a recorded report that are gone or other ones than it wrote."""
    return [
        path
        for path, expected in record.files.items()
        if not (store.out / path).is_file() or sha256(store.out / path) != expected
    ]


def _digest(store: Store) -> str:
    """Return the digest of everything that a report shows."""
    run = store.run()
    parts = {
        "command": run.command,
        "finished": run.finished,
        "env": dict(run.env),
        "datasets": {name: asdict(source) for name, source in run.datasets.items()},
        "tables": [asdict(table) for table in run.tables],
    }
    return digest([__version__, parts, [asdict(result) for result in (*store.planned(), *store.earlier())]])


def write(  # a parameter per option of `bench report`
    *stores: Store,
    by: Sequence[str] = (),
    metrics: Sequence[str] = (),
    formats: Sequence[str] = ("md",),
    folder: Path | None = None,
    cache: Cache | None = None,
    bayes: bool = False,
) -> Report:
    """Write the report of one or more runs.

    Parameters
    ----------
    by : Sequence[str]
        Label columns to slice every table by, if its dataset has them.
    metrics : Sequence[str]
        Further metrics of the stored predictions.
    formats : Sequence[str]
        Names from `FORMATS`, or of formats of installed distributions.
    folder : Path | None
        Folder of the files; by default that of the first run.
    cache : Cache | None
        Embeddings for the maps of the HTML page; None for no maps.
    bayes : bool
        Whether to compare the rows of all tables by a Bayesian model, which takes minutes.

    Raises
    ------
    UsageError
        If a store holds no run, runs contradict each other, a metric or format is unknown, or no dataset has
        one of the columns.
    """
    composition = compose(*stores, by=by, metrics=metrics, formats=formats, cache=cache, bayes=bayes)
    store = stores[0]
    if folder and folder != store.out:
        return composition.write(folder)
    report = composition.write(store.out)
    now = ReportRecord(
        made_of=_digest(store),
        text=report.text,
        files={str(path.relative_to(store.out)): sha256(path) for path in report.paths},
        out=store.name,
        n_runs=len(stores),
        by=tuple(by),
        metrics=tuple(metrics),
        formats=tuple(formats),
        bayes=bayes,
    )
    store.write_report(_with_last(now, store.report()))
    return report


def _shown(record: ReportRecord) -> tuple[object, ...]:
    """Return what a report shows, in whatever format."""
    return record.made_of, record.out, record.n_runs, record.by, record.metrics


def _with_last(now: ReportRecord, last: ReportRecord | None) -> ReportRecord:
    """Return the record of a report with the files of the last one that show the same in other formats."""
    if last is None or _shown(last) != _shown(now):
        return now
    formats = tuple(dict.fromkeys((*now.formats, *last.formats)))
    return replace(now, files={**last.files, **now.files}, formats=formats)


def compose(
    *stores: Store,
    by: Sequence[str] = (),
    metrics: Sequence[str] = (),
    formats: Sequence[str] = ("md",),
    cache: Cache | None = None,
    bayes: bool = False,
) -> Composition:
    """Return the report of one or more runs, before it is written; as `write`, which names the parameters.

    Raises
    ------
    UsageError
        As of `write`.
    """
    plugins = entrypoints.installed().get("reports", {})
    for name in metrics:
        catalog.find("metric", name, METRICS)
    for name in formats:
        catalog.find("format", name, {**plugins, **FORMATS})
    leaderboards = tables(stores, metrics)
    _refuse_unknown_columns(leaderboards, by)
    files = {name: FORMATS[name].file if name in FORMATS else name.rpartition("/")[2] for name in formats}
    report = content(stores, leaderboards, by, cache)
    if bayes:
        report = replace(report, sections=(*report.sections, comparison.section(leaderboards)))
    folders = frozenset().union(*(store.folders() for store in stores))
    return Composition(report, without_folders(report, folders), files, plugins)


@dataclass(frozen=True, slots=True)
class Composition:
    """A report that is not written yet: its files are for others, its text for the terminal of this machine.

    Parameters
    ----------
    shared : Content
        The content without folders of this machine.
    files : Mapping[str, str]
        Format -> the name of its file.
    plugins : Mapping[str, Plugin]
        Formats of installed distributions.
    """

    content: Content
    shared: Content
    files: Mapping[str, str]
    plugins: Mapping[str, Plugin]

    @property
    def paths(self) -> list[str]:
        """Return the paths of the files, relative to their folder."""
        return [*self.files.values(), *(picture.path for picture in self._pictures())]

    def write(self, folder: Path) -> Report:
        """Write the files into a folder."""
        from bench.report.figures import png  # matplotlib, which a run that draws nothing does without

        folder.mkdir(parents=True, exist_ok=True)
        for picture in self._pictures():
            path = folder / picture.path
            if not (picture.keyed and png.is_whole(path)):
                with replacing(path) as part:
                    png.write(picture.figure, part)
        for name, file in self.files.items():
            replace_text(folder / file, self.text(name))
        return Report(self.terminal, [folder / path for path in self.paths])

    @property
    def terminal(self) -> str:
        """Return the tables, for a terminal."""
        return markdown.text([section for section in self.content.sections if "terminal" in section.media])

    def _pictures(self) -> list[Picture]:
        """Return the pictures that are files."""
        pictures = (picture for section in self.content.sections for picture in section.pictures)
        return [picture for picture in pictures if picture.path]

    def text(self, name: str) -> str:
        """Return the text of a format's file."""
        if name in FORMATS:
            return FORMATS[name].write(self.shared)
        return _plugin_text(self.plugins[name], self.shared)


def _refuse_unknown_columns(leaderboards: Iterable[Table], by: Sequence[str]) -> None:
    """Raise UsageError if no dataset has one of the columns."""
    if not by:
        return
    columns = {table.dataset: list(table.labels().columns)[1:] for table in leaderboards}
    for column in by:
        if not any(column in names for names in columns.values()):
            expected = "; ".join(f"{dataset} has {', '.join(names)}" for dataset, names in columns.items())
            raise UsageError(f"--by {column}: no dataset has this label column; {expected}")


def _plugin_text(plugin: Plugin, report: Content) -> str:
    """Return the text of an installed distribution's format, from the content of leaderboard.json.

    Raises
    ------
    PluginError
        If the format cannot be imported, raises, or returns no text.
    """
    function = plugin.load()
    try:
        text = function(json.values(report.tables))
    except Exception as error:
        raise PluginError(f"{plugin.source}: '{plugin.name}' raised {describe(error)}") from error
    if not isinstance(text, str):
        raise PluginError(f"{plugin.source}: '{plugin.name}' returned {type(text).__name__}; expected a text")
    return text
