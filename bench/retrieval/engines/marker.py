"""Marker: what the files of an engine hold. Without it, they count as absent.

It is removed before the files change and written after them, so that a killed writer leaves none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol, Self

from bench.errors import UsageError
from bench.files import indented_json, parse_json, replace_text, sha256, sync
from bench.retrieval.card import IndexCard
from bench.types import Embeddings
from bench.types.retrieval import Ids
from bench.validation import convert

MARKER = "marker.json"


class Rows(Protocol):
    """One state of an index."""

    @property
    def vectors(self) -> Embeddings:
        """Return its rows, shape=(n_rows, dim)."""
        ...

    @property
    def ids(self) -> Ids:
        """Return the ids that are there, ascending."""
        ...


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file of an engine.

    Parameters
    ----------
    size : int
        In bytes.
    """

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What the files of an engine hold.

    Parameters
    ----------
    index : str
        Id of the index.
    engine : str
        Name of the engine.
    n_rows : int
        Rows of the index that the engine has seen: ids from there on are not in it.
    n_ids : int
        Number of ids in the engine.
    n_built : int
        Number of ids when it was built from nothing.
    files : Mapping[str, SavedFile]
        Path below the folder -> its file.
    """

    index: str
    engine: str
    n_rows: int
    n_ids: int
    n_built: int
    files: Mapping[str, SavedFile] = field(default_factory=dict)

    @classmethod
    def of(cls, card: IndexCard, rows: Rows, n_built: int) -> Self:
        """Return the marker of an engine that holds all ids of an index; its files are not known yet."""
        n_rows, n_ids = len(rows.vectors), len(rows.ids)
        return cls(index=card.id, engine=card.engine.name, n_rows=n_rows, n_ids=n_ids, n_built=n_built)

    @property
    def size(self) -> int:
        """Return the size of all files, in bytes."""
        return sum(saved.size for saved in self.files.values())

    def is_of(self, card: IndexCard, folder: Path) -> bool:
        """Return whether the files are those of the index's engine, and have their sizes."""
        return (
            (self.index, self.engine) == (card.id, card.engine.name)
            and self.files.keys() == {name for name, _ in _files(folder)}
            and all((folder / name).stat().st_size == saved.size for name, saved in self.files.items())
        )

    def changed(self, folder: Path) -> list[str]:
        """Return the files, as paths below the folder, that are missing or have another content."""
        return [
            name
            for name, saved in self.files.items()
            if not (folder / name).is_file() or sha256(folder / name) != saved.sha256
        ]


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Return the files below a folder by their path there."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MARKER)
    return [(path.relative_to(folder).as_posix(), path) for path in paths]


def read_marker(folder: Path) -> Marker | None:
    """Return the marker of an engine's folder; None without one that can be read."""
    path = folder / MARKER
    try:
        return convert(parse_json(path.read_bytes()), Marker, str(path))
    except (OSError, ValueError, UsageError):
        return None


def write_marker(folder: Path, marker: Marker) -> Marker:
    """Write the marker of the files that are in an engine's folder; return it with them.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: SavedFile(path.stat().st_size, sha256(path)) for name, path in _files(folder)}
    marker = replace(marker, files=files)
    replace_text(folder / MARKER, indented_json(asdict(marker)))
    return marker


def remove_marker(folder: Path) -> None:
    """Remove the marker of an engine's folder, durably.

    Raises
    ------
    OSError
        If it cannot be removed.
    """
    if (folder / MARKER).exists():
        (folder / MARKER).unlink()
        sync(folder)
