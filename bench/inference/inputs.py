"""Inputs: files, folders, tables and a stream of paths -> the recordings to predict."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import datasets, display
from bench.catalog import Registry
from bench.datasets.layouts.files import STREAM
from bench.datasets.tables import SUFFIXES
from bench.errors import UsageError
from bench.inference.answers import Failure
from bench.runner import open_dataset
from bench.types import Clip

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Recordings to predict, and why what else was named holds none."""

    clips: tuple[Clip, ...]
    failures: tuple[Failure, ...] = ()


def recordings(texts: Sequence[str], declared: Registry, home: Path) -> Inputs:
    """Return the recordings that a user named, each with the name that its answer has.

    A file is named as the user wrote it; whatever else it is, it fails when it is read. A folder, a table, a
    data set and ``-`` stand for their clips. One line warns of files in a folder that are no clips.

    Raises
    ------
    UsageError
        If nothing that was named can be opened, or nothing was named.
    """
    if not texts:
        raise UsageError("FILES: is missing; expected audio files, a folder, a table or -")
    clips: list[Clip] = []
    failures: list[Failure] = []
    for text in texts:
        try:
            clips += _of_text(text, declared, home)
        except UsageError as error:
            if len(texts) == 1:
                raise
            failures.append(Failure(file=text, error=str(error)))
    return Inputs(tuple(clips), tuple(failures))


def _of_text(text: str, declared: Registry, home: Path) -> list[Clip]:
    path = Path(text)
    is_table = path.suffix.lower() in SUFFIXES or path.suffix == ".toml"
    if text == STREAM or path.is_dir() or is_table or text in declared.cards:
        dataset = datasets.from_stream(None) if text == STREAM else open_dataset(text, declared, home)
        for note in dataset.leftovers() if dataset.leftovers else ():
            log.warning("%s: %s", text, display.note(note))
        return [_named(clip) for clip in dataset.clips()]
    return [Clip(id=text, path=path)]


def _named(clip: Clip) -> Clip:
    """Return a clip with the path of its file as its name, unless it is a window of it."""
    return clip if clip.start is not None or clip.noise else replace(clip, id=str(clip.path))
