"""The machine that a run computes on: the folders that its messages may name."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.paths import path_of
from bench.request import Request
from bench.runner.planning import Plan
from bench.sharing import parents


def folders(plan: Plan, request: Request) -> tuple[str, ...]:
    """Return absolute folders of this machine, of which files for others hold none.

    They are those of the data, plugins, weights and the cache, the working folder and the home folder.
    """
    cells = plan.cells
    specs = list(
        {id(spec): spec for cell in cells for spec in (cell.extractor, cell.head, *cell.steps)}.values()
    )
    params = (str(value) for spec in specs for value in spec.params.values())
    weights = (text for text in params if text.startswith("/"))
    data = (source.dataset.source for source in plan.sources.values())
    code = (spec.root for spec in specs if spec.root)
    paths = parents(*weights, *data, *_options(request), *_audio(plan))
    return tuple(sorted({*paths, *code, *map(str, _homes(request))}))


def _options(request: Request) -> Iterator[str]:
    """Yield the absolute paths in options, alone or behind a prefix such as ``hf:`` or ``NAME=``."""
    for text in (*request.datasets, *request.audio, *request.extractors, *request.heads):
        yield from (part for part in re.split("[=:@]", text) if part.startswith(("/", "~")))


def _audio(plan: Plan) -> Iterator[str]:
    """Yield the folder that all audio of a data set shares, in each folder below the root."""
    for source in plan.sources.values():
        names = (str(path_of(name)) for name in source.dataset.table["path"].unique())
        folders = {os.path.dirname(name) for name in names}  # noqa: PTH120  # many files, few folders
        yield from map(os.path.commonpath, _by_first(map(os.path.abspath, folders)))


def _by_first(paths: Iterable[str]) -> Iterable[list[str]]:
    """Return absolute paths in lists that share the first name."""
    lists: dict[str, list[str]] = {}
    for path in paths:
        lists.setdefault(path.split("/")[1], []).append(path)
    return lists.values()


def _homes(request: Request) -> Iterator[Path]:
    """Yield the working folder, the cache and the home folder, if there is one."""
    yield Path.cwd()
    yield request.home.absolute()
    home = Path("~").expanduser()
    if home.is_absolute() and home != Path("/"):
        yield home
