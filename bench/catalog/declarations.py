"""TOML files and entry points -> the registry of everything that has a name; nothing is imported."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.catalog import entrypoints
from bench.catalog.entries import (
    CardEntry,
    CheckpointEntry,
    Declaration,
    Entry,
    ExtractorEntry,
    FamilyEntry,
    HeadEntry,
    ReducerEntry,
    TaskEntry,
)
from bench.catalog.entrypoints import Plugin
from bench.catalog.names import find
from bench.errors import UsageError, reason
from bench.types import Card, Checkpoint, Family, Spec, Task
from bench.validation import convert


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything that is declared, by name.

    Parameters
    ----------
    plugins : Mapping[str, Mapping[str, Plugin]]
        Entry points of installed distributions: kind -> name -> plugin.
    """

    extractors: Mapping[str, Spec]
    heads: Mapping[str, Spec]
    reducers: Mapping[str, Spec]
    tasks: Mapping[str, Task]
    cards: Mapping[str, Card]
    checkpoints: Mapping[str, Checkpoint]
    families: Mapping[str, Family]
    plugins: Mapping[str, Mapping[str, Plugin]]


@dataclass(frozen=True, slots=True)
class EntrySource:
    """Where the entries of one kind come from.

    Parameters
    ----------
    entry : type[Entry]
        Fields of an entry.
    files : str
        Pattern of the files below a root: a file with a table per entry, or with ``*`` a file per entry.
    plugins : str
        Kind of the entry points that are entries too; empty for none.
    """

    entry: type[Entry]
    files: str
    plugins: str = ""


SOURCES: Mapping[str, EntrySource] = {
    "extractors": EntrySource(ExtractorEntry, "registry/extractors.toml", "extractors"),
    "heads": EntrySource(HeadEntry, "registry/heads.toml", "heads"),
    "reducers": EntrySource(ReducerEntry, "registry/reducers.toml", "reducers"),
    "tasks": EntrySource(TaskEntry, "registry/tasks.toml"),  # those of entry points are Python: see `task`
    "checkpoints": EntrySource(CheckpointEntry, "registry/weights.toml"),
    "families": EntrySource(FamilyEntry, "registry/layers.toml"),
    "cards": EntrySource(CardEntry, "datasets/*.toml", "datasets"),
}
"""Field of `Registry` -> where its entries come from."""


def packaged_root() -> Path:
    """Return the folder of the packaged `registry/` and `datasets/`, in a wheel as in a checkout."""
    package = Path(__file__).parent.parent
    return package / "_data" if (package / "_data").is_dir() else package.parent


def load(user_root: Path | None = None) -> Registry:
    """Return the declarations of the package, of `user_root` (default: the working folder) and of plugins.

    Raises
    ------
    UsageError
        If a file is not valid TOML, a field is unknown, missing or has another type, or two different
        entries share a name: the message names the file, or both.
    """
    packaged = packaged_root()
    user = (user_root or Path.cwd()).resolve()
    roots = [packaged] if user == packaged else [packaged, user]
    plugins = entrypoints.installed()
    declared: dict[str, dict[str, Any]] = {}
    for kind, source in SOURCES.items():
        declared[kind] = {}
        for root in roots:
            factory_root = "" if root == packaged else str(root)
            for path, name, fields in _tables(root, source.files):
                entry = convert(fields, source.entry, str(path), name)
                _add(declared[kind], entry.declaration(name, str(path), factory_root))
        for name, plugin in plugins.get(source.plugins, {}).items():
            _add(declared[kind], source.entry.of_plugin(plugin).declaration(name, plugin.source))
    return Registry(**declared, plugins=plugins)


def card(path: Path) -> Card:
    """Return the card in a TOML file.

    Raises
    ------
    UsageError
        If the file is not valid TOML, or a field is unknown, missing or has another type.
    """
    return convert(toml(path), CardEntry, str(path), path.stem).declaration(path.stem, str(path))


def task(name: str, declared: Registry) -> Task:
    """Return the task of a name; the task of a plugin is imported now.

    Raises
    ------
    UsageError
        If no task has the name, or a plugin's fields are not those of a task.
    PluginError
        If a plugin cannot be imported.
    """
    tasks: Mapping[str, Task | Plugin] = {**declared.plugins.get("tasks", {}), **declared.tasks}
    entry = find("task", name, tasks)
    if isinstance(entry, Task):
        return entry
    fields = entry.load()
    if not isinstance(fields, Mapping):
        raise UsageError(f"{entry.source}: task '{name}' is {fields!r}; expected a dict of its fields")
    return convert(fields, TaskEntry, entry.source, name).declaration(name, entry.source)


def toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file.

    Raises
    ------
    UsageError
        If the file is absent, cannot be read, or is not valid TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({reason(error)})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: no valid TOML ({error})") from error


def _tables(root: Path, pattern: str) -> Iterator[tuple[Path, str, Mapping[str, Any]]]:
    """Yield the path, name and fields of every entry in the files of a pattern."""
    for path in sorted(root.glob(pattern)):
        if "*" in pattern:
            yield path, path.stem, toml(path)
            continue
        for name, fields in toml(path).items():
            if not isinstance(fields, dict):
                raise UsageError(f"{path}: '{name}' is {fields!r}; expected a table, [{name}]")
            if not re.fullmatch(r"[\w./:-]+", name):
                raise UsageError(
                    f"{path}: the name '{name}' has other characters than letters, digits, . _ / -"
                )
            yield path, name, fields


def _add(declared: dict[str, Declaration], value: Declaration) -> None:
    """Add a value; a second, equal declaration is dropped, as in a checkout that is also installed."""
    first = declared.setdefault(value.name, value)
    if first is not value and _content(first) != _content(value):
        places = f"in {first.source} and in {value.source}"
        raise UsageError(f"'{value.name}' is declared twice: {places}; rename one of them")


def _content(value: Declaration) -> Mapping[str, Any]:
    """Return the fields of a declaration without its source."""
    return {name: field for name, field in asdict(value).items() if name not in {"source", "root"}}
