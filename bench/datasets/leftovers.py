"""Audio files in a dataset's folder that the dataset leaves out, counted and named."""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path, PurePath

import pandas as pd

from bench import audio
from bench.paths import path_of, path_text
from bench.types import Dataset, Note

SUFFIXES = frozenset({*audio.SUFFIXES, ".ra", ".rm", ".mpc", ".tta", ".dsf", ".dts", ".gsm", ".vox", ".m4p"})
"""Suffixes of audio files, also of those that nothing here reads."""

APPLE_DOUBLE = "._"
"""How macOS begins the name of a file that describes another one, and holds no audio."""

MOST_FOLDERS = 5
"""Largest number of folders without a clip that are named."""

MOST_FILES = 100_000
"""Largest number of files beside a table that are looked at: its folder may be somebody's home."""


def watched(dataset: Dataset, path: Path) -> Dataset:
    """Return a dataset that can tell which audio files it leaves out, and which need PyAV.

    Parameters
    ----------
    path : Path
        Its folder, or its table. Beside a table, the table's folder is searched if it holds all of the
        audio, else the folders of the files themselves.
    """
    return dataclasses.replace(dataset, leftovers=partial(_notes, dataset.table["path"], path))


def _notes(paths: "pd.Series[str]", path: Path) -> list[Note]:
    """Return notes of the audio files beside paths that are none of them, and of those that need PyAV."""
    files = set(map(_place, paths.unique()))
    left_out = [name for name in _audio_beside(path, files) if _place(name) not in files]
    notes = (None if audio.has_av() else _needs_av(files), _left_out(left_out, files, path))
    return list(filter(None, notes))


def _place(name: str) -> str:
    """Return the absolute path of a file, which differs from that of every other one."""
    return os.path.abspath(name)  # noqa: PTH100  # a tenth of the time of `Path`


def _folders(files: Iterable[str]) -> set[str]:
    """Return the folders of files."""
    return {os.path.dirname(name) for name in files}  # noqa: PTH120


def _audio_beside(path: Path, files: Iterable[str]) -> Iterator[str]:
    """Yield the audio files of a folder, or beside a table."""
    if path.is_dir():
        return _audio(path)
    folder = _place(str(path.parent))
    folders = _folders(files)
    if all(f"{name}/".startswith(f"{folder}/") for name in folders):
        return islice(_audio(folder), MOST_FILES)
    parts = (_audio(one, deep=False) for one in map(path_of, sorted(folders)) if one.is_dir())
    return islice(chain.from_iterable(parts), MOST_FILES)


def _audio(folder: str | Path, *, deep: bool = True) -> Iterator[str]:
    """Yield the audio files in a folder, and in the folders below it if `deep`."""
    for place, below, names in os.walk(folder):
        if not deep:
            below.clear()
        below.sort()
        for name in sorted(names):
            is_audio = os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122
            if is_audio and not name.startswith(APPLE_DOUBLE):
                yield path_text(f"{place}/{name}")


def _needs_av(files: Iterable[str]) -> Note | None:
    """Return how many files need PyAV if it is not installed; None if none does."""
    suffixes = [os.path.splitext(name)[1] for name in files]  # noqa: PTH122
    needed = [suffix for suffix in suffixes if suffix.lower() in audio.AV_SUFFIXES]
    return Note("decoder", (audio.AV_INSTALLATION,), _counts(needed)) if needed else None


def _left_out(names: Sequence[str], files: Iterable[str], path: Path) -> Note | None:
    """Return how many audio files are left out, by suffix and reason, and the folders without any clip."""
    if not names:
        return None
    base = path if path.is_dir() else path.parent
    kinds = [_kind(PurePath(name), base) for name in names]
    populated = _folders(files)
    populated |= {str(parent) for folder in populated for parent in PurePath(folder).parents}
    places = (PurePath(_place(name)) for name in names if not _is_hidden(name, base))
    empty = {_topmost(place, populated) for place in places if str(place.parent) not in populated}
    folders = sorted(os.path.relpath(folder, base) for folder in empty)
    return Note("left out", tuple(folders[:MOST_FOLDERS]), _counts(kinds), count=len(folders))


def _topmost(name: PurePath, populated: set[str]) -> str:
    """Return the topmost folder of a file that holds no clip at any depth."""
    return str(next(folder for folder in reversed(name.parents) if str(folder) not in populated))


def _kind(name: PurePath, base: Path) -> str:
    """Return the suffix of a file, and why it is left out where that is known."""
    return f"{name.suffix} hidden" if _is_hidden(str(name), base) else name.suffix


def _is_hidden(name: str, base: Path) -> bool:
    """Return whether a file or a folder of it has a name that starts with a dot."""
    return any(part.startswith(".") and part != ".." for part in os.path.relpath(name, base).split("/"))


def _counts(kinds: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return how often every kind occurs."""
    return tuple(sorted(Counter(kinds).items()))
