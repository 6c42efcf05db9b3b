"""`bench.run`: what the command line does, for notebooks and programs."""

from __future__ import annotations

import inspect
import io
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench import catalog, paths, report, runner
from bench.catalog import Registry
from bench.embed.cache import Cache
from bench.errors import UsageError, shortlist
from bench.keys import digest
from bench.report import confusion, leaderboard
from bench.report.rows import Row, Table, tables
from bench.report.writers import exports
from bench.runner import progress
from bench.store import Store
from bench.types import Audio, Frames, Kind, Spec

SAMPLE_RATE = 16_000
"""Of what a function hears, in Hz."""

Described = Callable[[Audio, int], Any]
"""A function from one clip's samples and their rate to a vector, shape=(dim,), or frames, (n_frames, dim)."""

_here: dict[str, Any] = {}
"""The functions and extractors that were given as objects, by the digest of their source and state."""


def run(
    *,
    tasks: Sequence[str] = (),
    datasets: Sequence[str | Path | pd.DataFrame] = ("demo",),
    extractors: Sequence[str | Described | Any] = (),
    heads: Sequence[str | Any] = (),
    out: str | Path = "bench-out",
    **asked: Any,
) -> Results:
    """Compute the matrix datasets x tasks x extractors x heads, and return what came of it.

    What an earlier run with the same `out` has computed is not computed again.

    Parameters
    ----------
    tasks : Sequence[str]
        Names; empty for all that fit the data.
    datasets : Sequence[str | Path | pd.DataFrame]
        Names, folders, manifests, or tables with the column `path` and a column per label.
    extractors : Sequence[str | Described | Any]
        Names as of ``bench run``, functions of one clip and its sample rate, or objects with `embed`.
    heads : Sequence[str | Any]
        Names as of ``bench run``, or scikit-learn classifiers with their parameters.
    out : str | Path
        The folder of the results.
    asked
        Further fields of `bench.runner.Request`, such as ``split="cv:5"`` or ``seeds=(0, 1)``.

    Raises
    ------
    UsageError
        If something is unknown or does not fit; the message says how to mend it.
    """
    out = Path(out)
    declared = catalog.load()
    specs = [_spec("extractor", each) for each in extractors if not isinstance(each, str)]
    specs += [_spec("head", each) for each in heads if not isinstance(each, str)]
    if specs and asked.get("jobs", 1) > 1:
        named = shortlist([spec.name for spec in specs])
        raise UsageError(f"jobs: {named}: an object, which only this process has; expected 1")
    names = iter(spec.name for spec in specs)
    request = runner.Request(
        datasets=[_dataset(each, out, number) for number, each in enumerate(datasets)],
        home=paths.home(),
        tasks=tasks,
        extractors=[each if isinstance(each, str) else next(names) for each in extractors],
        heads=[each if isinstance(each, str) else next(names) for each in heads],
        command="bench.run(...)",
        **asked,
    )
    store = Store(out)
    plan = runner.plan(request, _with(declared, specs))
    with store.writing(), progress.observer() as observer:
        runner.run(plan, request, store, Cache(paths.cache_root()), observer)
        report.updated(store)
    return Results(store)


def _with(declared: Registry, specs: Sequence[Spec]) -> Registry:
    """Return a registry that has some specs besides."""
    known: dict[Kind, dict[str, Spec]] = {
        "extractor": dict(declared.extractors),
        "head": dict(declared.heads),
    }
    for spec in specs:
        if known[spec.kind].setdefault(spec.name, spec) is not spec:
            raise UsageError(f"{spec.source}: two are called '{spec.name}'; give one of them another name")
    return replace(declared, extractors=known["extractor"], heads=known["head"])


def _dataset(given: str | Path | pd.DataFrame, out: Path, number: int) -> str:
    """Return what names a dataset; a table is kept beside the results, so that they can be audited."""
    if not isinstance(given, pd.DataFrame):
        return str(given)
    if "path" not in given:
        raise UsageError(f"datasets: a table with {', '.join(map(str, given))}; expected the column 'path'")
    path = out / "tables" / f"table{number or ''}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    absolute = given.assign(path=[str(Path(each).absolute()) for each in given["path"]])
    absolute.astype(str).where(given.notna(), "").to_parquet(path.absolute(), index=False)
    return str(path)


def _spec(kind: Kind, given: Any) -> Spec:
    """Return the spec of an object: of an estimator by its class and parameters, else by its source."""
    place = f"{kind}s"
    if kind == "head":
        made = type(given)
        if not hasattr(given, "get_params") or made.__module__ == "__main__":
            raise UsageError(f"{place}: {given!r}: expected a name, or a classifier that a module defines")
        name = " ".join(str(given).split()).replace("+", "")
        factory = f"{made.__module__}:{made.__qualname__}"
        found = catalog.undeclared(kind, factory)
        params = {name: value for name, value in given.get_params(deep=False).items() if value is not None}
        try:
            digest(params)
        except TypeError as error:
            raise UsageError(
                f"{place}: {name}: holds more than numbers and text; put it into a file"
            ) from error
        return replace(found or Spec(kind, name, factory), name=name, params=params, source=place)
    thing = given if inspect.isfunction(given) else type(given)
    try:
        params = {"source": inspect.getsource(thing), "state": {} if thing is given else dict(vars(given))}
        key = digest(params)
    except (OSError, TypeError) as error:
        why = "its source is not known, or it holds more than numbers and text"
        raise UsageError(f"{place}: {thing.__name__}: {why}; put it into a file") from error
    if outside := _outside(given) if thing is given else []:
        why = f"uses {shortlist(outside)} from outside, which would not be noticed when it changes"
        raise UsageError(f"{place}: {thing.__name__}: {why}; put that inside, or all of it into a file")
    _here[key] = given
    return Spec(kind, thing.__name__, "bench.api:Here", params=params, source=place)


def _outside(function: Any) -> list[str]:
    """Return what a function uses that neither its own source nor an installed module says."""
    used = inspect.getclosurevars(function)
    names = {
        name: value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "__main__")
        for name, value in {**used.nonlocals, **used.globals}.items()
    }
    return [name for name, module in names.items() if not _is_installed(str(module))]


def _is_installed(module: str) -> bool:
    """Return whether a module is Python's own or an installed one."""
    path = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    own = module in sys.builtin_module_names or path.is_relative_to(sysconfig.get_path("stdlib"))
    return own or catalog.is_installed(path)


class Here:
    """An extractor that was given as an object, found again by its source.

    Parameters
    ----------
    source : str
        Of the function, or of the object's class.
    state : Mapping[str, Any]
        The object's attributes.
    """

    def __init__(self, source: str, state: Mapping[str, Any]) -> None:
        given = _here.get(digest({"source": source, "state": state}))
        if given is None:
            raise UsageError("is an object of another process; put it into a file")
        self._given = given
        function = inspect.isfunction(given)
        self._embed = self._each if function else given.embed
        self.sample_rate = SAMPLE_RATE if function else given.sample_rate
        noise = np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
        self.dim = int(np.shape(given(noise, SAMPLE_RATE))[-1]) if function else given.dim
        for name in ("n_layers", "max_seconds"):
            if hasattr(given, name):
                setattr(self, name, getattr(given, name))

    def _each(self, audio: Sequence[Audio]) -> list[Frames]:
        return [np.asarray(self._given(y, SAMPLE_RATE), dtype=np.float32) for y in audio]

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array per clip."""
        made: Sequence[Frames] = self._embed(audio)
        return made


class Plot(Figure):
    """A figure that a notebook shows without being told to."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


@dataclass(frozen=True)
class Results:
    """What a run has found; in a notebook it shows as its leaderboards.

    Parameters
    ----------
    store : Store
        The folder that everything is in.
    """

    store: Store

    @property
    def tables(self) -> list[Table]:
        """Return a table per dataset and task, the best row first."""
        return tables([self.store])

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per row of every table, with scores, intervals and costs; see `bench report`."""
        return exports.frame(self.tables)

    def confusion(self, task: str, extractor: str, head: str, dataset: str = "") -> pd.DataFrame:
        """Return the counts of clips, shape=(n_classes, n_classes): true labels down, predicted across.

        Parameters
        ----------
        dataset : str
            Where the task was run on several.

        Raises
        ------
        UsageError
            If there is no such row, or more than one.
        """
        table, row = self._row(task, extractor, head, dataset)
        return confusion.matrix(table.predictions(row.first))

    def _row(self, task: str, extractor: str, head: str, dataset: str) -> tuple[Table, Row]:
        rows = [
            (table, row)
            for table in self.tables
            if table.task == task and dataset in {"", table.dataset}
            for row in table.rows
            if (row.first.extractor, row.first.head) == (extractor, head)
        ]
        if len(rows) != 1:
            known = [
                f"{each.task} on {each.dataset}: {each.name(row)}"
                for each in self.tables
                for row in each.rows
            ]
            there = shortlist(known, 20)
            raise UsageError(f"{task}, {extractor}, {head}: {len(rows)} rows are that; there are {there}")
        return rows[0]

    def plot(self, task: str = "", dataset: str = "") -> Plot:
        """Return a figure of the ranking metric of every row with its interval, a plot per table."""
        shown = [
            table
            for table in self.tables
            if table.rows and task in {"", table.task} and dataset in {"", table.dataset}
        ]
        n_rows = [len(table.rows) for table in shown]
        figure = Plot(figsize=(8, 1.2 * len(shown) + 0.3 * sum(n_rows)), layout="constrained")
        FigureCanvasAgg(figure)
        plots = figure.subplots(max(len(shown), 1), squeeze=False, height_ratios=n_rows or [1])[:, 0]
        for plot, table in zip(plots, shown, strict=False):
            for place, row in enumerate(table.rows):
                score = row.scores[table.main]
                plot.plot(score.bounds, [place, place], color="gray")
                plot.plot(score.value, place, "o", color="tab:blue" if row.standing.tied else "gray")
            plot.set_yticks(range(len(table.rows)), [table.name(row) for row in table.rows], parse_math=False)
            plot.invert_yaxis()
            plot.set_title(f"{table.task} on {table.title}", parse_math=False)
            plot.set_xlabel(f"{table.main}, with 95 % intervals; blue: may be the best", parse_math=False)
        return figure

    def _repr_markdown_(self) -> str:
        return "\n\n".join(leaderboard.section(table) for table in self.tables)

    def __repr__(self) -> str:
        return self._repr_markdown_()
