"""Entries of TOML files and entry points, one type per kind -> the values of the catalog."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta, structs

from bench.catalog.entrypoints import Plugin
from bench.keys import digest
from bench.types import Card, Checkpoint, Family, Kind, Spec, Task, Unit

Declaration = Spec | Task | Card | Checkpoint | Family

Count = Annotated[int, Meta(ge=1)]
Text = Annotated[str, Meta(min_length=1)]
Names = Annotated[tuple[Text, ...], Meta(min_length=1)]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Fields of an entry; a subclass is what `bench.validation.convert` checks them against."""

    def declaration(self, name: str, source: str, root: str = "") -> Declaration:
        """Return the value that the catalog holds.

        Parameters
        ----------
        name : str
            Name of the entry.
        source : str
            File or distribution that holds the entry, for messages.
        root : str
            Folder whose modules a factory may name; empty for installed ones alone.
        """
        raise NotImplementedError

    @classmethod
    def of_plugin(cls, plugin: Plugin) -> Entry:
        """Return the entry that an entry point of an installed distribution stands for."""
        raise NotImplementedError


class ComponentEntry(Entry, frozen=True, kw_only=True):
    """Fields that extractors, heads and reducers share; see `bench.types.Spec`."""

    kind: ClassVar[Kind]

    factory: Text
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    requires: tuple[Text, ...] = ()
    about: str = ""
    offered: bool = True

    def __post_init__(self) -> None:
        """Refuse parameters that have no key, such as dates."""
        _check_values("params", self.params)

    def declaration(self, name: str, source: str, root: str = "") -> Spec:
        """Return the spec of the entry."""
        return Spec(kind=self.kind, name=name, source=source, root=root, **structs.asdict(self))

    @classmethod
    def of_plugin(cls, plugin: Plugin) -> ComponentEntry:
        """Return the entry of a plugin, which runs only if a user names it."""
        return cls(factory=plugin.factory, requires=(plugin.distribution,), about=plugin.about, offered=False)


class ExtractorEntry(ComponentEntry, frozen=True, kw_only=True):
    """An extractor in registry/extractors.toml."""

    kind: ClassVar[Kind] = "extractor"

    preprocess: tuple[str, ...] = ()
    weights: str = ""
    pool: str = ""


class HeadEntry(ComponentEntry, frozen=True, kw_only=True):
    """A head in registry/heads.toml."""

    kind: ClassVar[Kind] = "head"

    unit: Unit = "clip"
    steps: tuple[str, ...] = ()
    scale: bool = True
    limit: float = 0.0
    grid: dict[str, list[Any]] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse values that have no key, parameters without values, and reducers of layers."""
        super().__post_init__()
        if self.steps and self.unit == "layers":
            raise ValueError(f"steps is {list(self.steps)}; expected no reducers, since unit is 'layers'")
        if not (0 <= self.limit < math.inf):
            raise ValueError(f"limit is {self.limit:g}; expected a number of deviations, or 0 for no limit")
        if self.limit and not self.scale:
            raise ValueError(f"limit is {self.limit:g}; expected none, since scale is false")
        _check_values("grid", self.grid)
        for name, values in self.grid.items():
            if not values:
                raise ValueError(f"grid.{name} is []; expected a list of values, one or more")


class ReducerEntry(ComponentEntry, frozen=True, kw_only=True):
    """A reducer in registry/reducers.toml."""

    kind: ClassVar[Kind] = "reducer"


class TaskEntry(Entry, frozen=True, kw_only=True):
    """A task in registry/tasks.toml, or of an entry point; see `bench.types.Task`."""

    target: Text
    groups: Names
    metrics: Names
    about: str = ""
    stricter: tuple[Text, ...] = ()

    def declaration(self, name: str, source: str, root: str = "") -> Task:
        """Return the task of the entry."""
        return Task(name=name, source=source, **structs.asdict(self))


class CheckpointEntry(Entry, frozen=True, kw_only=True):
    """Facts of published weights in registry/weights.toml; see `bench.types.Checkpoint`."""

    licence: str
    parameters: Count
    rate: Count
    data: str
    citation: str
    model_type: str = ""
    layers: Annotated[int, Meta(ge=0)] = 0
    dim: Annotated[int, Meta(ge=0)] = 0

    def declaration(self, name: str, source: str, root: str = "") -> Checkpoint:
        """Return the checkpoint of the entry."""
        return Checkpoint(name=name, source=source, **structs.asdict(self))


class FamilyEntry(Entry, frozen=True, kw_only=True):
    """Default layers of a model type in registry/layers.toml; see `bench.types.Family`."""

    layers: Annotated[
        tuple[Annotated[float, Meta(ge=0, le=1)] | Literal["last", "mean"], ...], Meta(min_length=1)
    ]
    evidence: Text

    def declaration(self, name: str, source: str, root: str = "") -> Family:
        """Return the family of the entry."""
        return Family(name=name, source=source, **structs.asdict(self))


class FileEntry(Entry, frozen=True, kw_only=True, omit_defaults=True):
    """An archive that a card's data are downloaded from.

    Parameters
    ----------
    hash : str
        Checksum as pooch writes it, such as ``sha256:...``; empty if unknown.
    bytes : int
        Size of the archive; 0 if unknown.
    unpacked : int
        Size of its content in bytes; 0 if unknown.
    """

    url: Text
    hash: str = ""
    bytes: Annotated[int, Meta(ge=0)] = 0
    unpacked: Annotated[int, Meta(ge=0)] = 0


class CardEntry(Entry, frozen=True, kw_only=True):
    """A card in datasets/NAME.toml, or a card of a user; see `bench.types.Card`."""

    kind: str
    version: str
    about: str
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    licence: str = ""
    citation: str = ""
    verified: str = ""
    obtain: str = ""
    files: tuple[FileEntry, ...] = ()
    synthetic: bool = False

    def declaration(self, name: str, source: str, root: str = "") -> Card:
        """Return the card of the entry; its files hold the fields that the entry sets."""
        files = tuple(msgspec.to_builtins(file) for file in self.files)
        return Card(name=name, source=source, **{**structs.asdict(self), "files": files})

    @classmethod
    def of_plugin(cls, plugin: Plugin) -> FunctionEntry:
        """Return the entry of a function that returns a path or a table."""
        return FunctionEntry(factory=plugin.factory, version=plugin.version, about=plugin.about)


class FunctionEntry(Entry, frozen=True, kw_only=True):
    """A dataset of an installed distribution; the fields are those of its entry point."""

    factory: str
    version: str
    about: str

    def declaration(self, name: str, source: str, root: str = "") -> Card:
        """Return the card of the entry."""
        return Card(name=name, kind="", source=source, **structs.asdict(self))


def _check_values(field: str, values: Mapping[str, Any]) -> None:
    """Raise ValueError for a value that has no key."""
    for name, value in values.items():
        try:
            digest(value)
        except (TypeError, ValueError) as error:
            expected = "texts, finite numbers, booleans, lists or tables"
            raise ValueError(f"{field}.{name} is {value!r}; expected {expected}") from error
