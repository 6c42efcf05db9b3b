"""Reports on disk: written for a run, updated when its results change, and published in a folder."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import catalog
from bench._version import __version__
from bench.catalog import entrypoints
from bench.catalog.entrypoints import Plugin
from bench.embed.cache import Cache
from bench.errors import PluginError, UsageError, describe
from bench.files import replace_text, replacing
from bench.keys import digest
from bench.metrics import METRICS
from bench.report.document import Section
from bench.report.figures import png
from bench.report.rows import Table
from bench.report.sections import Content, content, overview
from bench.report.tables import tables
from bench.report.writers import FORMATS, json, markdown
from bench.store import ReportRecord, Store, baseline
from bench.types import Status


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
    made_of = _digest(store)
    last = store.report()
    if last and last.made_of == made_of and all((store.out / path).is_file() for path in last.paths):
        return Report(last.text, [store.out / path for path in last.paths])
    report = write(store)
    paths = tuple(str(path.relative_to(store.out)) for path in report.paths)
    store.write_report(ReportRecord(made_of, report.text, paths))
    return report


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
    return digest([__version__, parts, [asdict(result) for result in store.planned()]])


def write(  # a parameter per option of `bench report`
    *stores: Store,
    by: Sequence[str] = (),
    metrics: Sequence[str] = (),
    formats: Sequence[str] = ("md",),
    folder: Path | None = None,
    cache: Cache | None = None,
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

    Raises
    ------
    UsageError
        If a store holds no run, runs contradict each other, a metric or format is unknown, or no dataset has
        one of the columns.
    """
    plugins = entrypoints.installed().get("reports", {})
    for name in metrics:
        catalog.find("metric", name, METRICS)
    for name in formats:
        catalog.find("format", name, {**plugins, **FORMATS})
    leaderboards = tables(stores, metrics)
    _refuse_unknown_columns(leaderboards, by)
    report = content(stores, leaderboards, by, cache)
    folder = folder or stores[0].out
    folder.mkdir(parents=True, exist_ok=True)
    pictures = _draw(report.sections, folder)
    files = [_write(name, report, folder, plugins) for name in dict.fromkeys(formats)]
    terminal = [section for section in report.sections if "terminal" in section.media]
    return Report(markdown.text(terminal), [*files, *pictures])


def _refuse_unknown_columns(leaderboards: Iterable[Table], by: Sequence[str]) -> None:
    """Raise UsageError if no dataset has one of the columns."""
    if not by:
        return
    columns = {table.dataset: list(table.labels().columns)[1:] for table in leaderboards}
    for column in by:
        if not any(column in names for names in columns.values()):
            expected = "; ".join(f"{dataset} has {', '.join(names)}" for dataset, names in columns.items())
            raise UsageError(f"--by {column}: no dataset has this label column; {expected}")


def _draw(sections: Iterable[Section], folder: Path) -> list[Path]:
    """Draw the pictures of sections as PNG files, and return their paths."""
    paths = []
    for picture in (picture for section in sections for picture in section.pictures if picture.path):
        path = folder / picture.path
        if not (picture.keyed and png.is_whole(path)):
            with replacing(path) as part:
                png.write(picture.figure, part)
        paths.append(path)
    return paths


def _write(name: str, report: Content, folder: Path, plugins: Mapping[str, Plugin]) -> Path:
    """Write a report in one format, and return the path of the file."""
    if name in FORMATS:
        path, text = folder / FORMATS[name].file, FORMATS[name].write(report)
    else:
        path, text = folder / name.rpartition("/")[2], _plugin_text(plugins[name], report)
    replace_text(path, text)
    return path


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


def publish(*stores: Store, folder: Path, formats: Sequence[str] = ("md",), **options: Any) -> Report:
    """Write a report into a folder that is kept in git, with README.md as a forge displays it.

    README.md is the leaderboard, leaderboard.csv holds its numbers, and `bench compare` holds later runs
    against baseline.jsonl, which is written once and then stays. Figures that the report no longer has are
    removed.

    Parameters
    ----------
    options
        As of `write`.

    Raises
    ------
    UsageError
        As of `write`; if the folder has a README.md that is no leaderboard; or if the scored predictions of
        a cell cannot be read.
    """
    readme = folder / "README.md"
    title = f"# {overview.TITLE}"
    if readme.exists() and not readme.read_text(encoding="utf-8").startswith(title):
        raise UsageError(f"{readme}: is no leaderboard and would be lost; publish to another folder")
    for store in stores:
        for result in store.planned():
            if result.status == Status.OK:
                store.scored_predictions(result)
    report = write(*stores, folder=folder, formats=["md", "csv", *formats], **options)
    leaderboard, *others = report.paths
    paths = [leaderboard.replace(readme), *others]
    for kind in ("figures", "confusion"):
        for path in (folder / kind).glob("*.png"):
            if path not in paths:
                path.unlink()
    results = folder / f"baseline{baseline.SUFFIX}"
    if not results.exists():
        baseline.write(baseline.joined([baseline.side(store.out) for store in stores]), results)
        paths.append(results)
    return Report(report.text, paths)
