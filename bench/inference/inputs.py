"""Inputs: files, folders, tables and a stream of paths -> the recordings to predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import datasets
from bench.catalog import Registry
from bench.datasets.layouts.files import STREAM
from bench.datasets.tables import SUFFIXES
from bench.errors import UsageError
from bench.runner import open_dataset
from bench.types import Clip


def recordings(texts: Sequence[str], declared: Registry, home: Path) -> list[Clip]:
    """Return the recordings that a user named, each with the name that its answer has.

    A file is named as the user wrote it; whatever else it is, it fails when it is read. A folder, a table, a
    data set and ``-`` stand for their clips.

    Raises
    ------
    UsageError
        If a folder, table or stream cannot be opened, or nothing is named.
    """
    if not texts:
        raise UsageError("FILES: is missing; expected audio files, a folder, a table or -")
    return [clip for text in texts for clip in _of_text(text, declared, home)]


def _of_text(text: str, declared: Registry, home: Path) -> list[Clip]:
    path = Path(text)
    is_table = path.suffix.lower() in SUFFIXES or path.suffix == ".toml"
    if text == STREAM or path.is_dir() or is_table or text in declared.cards:
        dataset = datasets.from_stream(None) if text == STREAM else open_dataset(text, declared, home)
        return [_named(clip) for clip in dataset.clips()]
    return [Clip(id=text, path=path)]


def _named(clip: Clip) -> Clip:
    """Return a clip with the path of its file as its name, unless it is a window of it."""
    return clip if clip.start is not None or clip.noise else replace(clip, id=str(clip.path))
