"""A folder with one folder per class: CLASS/*.wav."""

from collections import Counter
from pathlib import Path

import pandas as pd

from bench import audio
from bench.datasets.leftovers import SUFFIXES as AUDIO
from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.paths import path_text
from bench.types import Dataset, Note

SUFFIXES = audio.SUFFIXES


def holds(path: Path, *, audio: bool) -> bool:
    """Return whether a folder holds files at any depth that are not hidden; with `audio`, audio files."""
    names = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
    return any(_is_clip(name) if audio else _is_visible(name) for name in names)


def _is_visible(name: Path) -> bool:
    return not any(part.startswith(".") for part in name.parts)


def _is_clip(name: Path) -> bool:
    """Return whether the path of a file in a folder is that of audio, and not hidden."""
    return name.suffix.lower() in SUFFIXES and _is_visible(name)


def load(path: Path, label: str) -> Dataset:
    """Return the dataset of a folder: audio files at any depth below a class folder, without hidden files.

    Parameters
    ----------
    label : str
        Label column for the classes; '' for no labels, of which a file needs no class folder.

    Raises
    ------
    UsageError
        If no class folder contains audio.
    """
    files = (file.relative_to(path) for file in sorted(path.rglob("*")) if file.is_file())
    visible = list(filter(_is_visible, files))
    clips = [name for name in visible if _is_clip(name) and (len(name.parts) > 1 or not label)]
    stems = {name.with_suffix("") for name in clips if _is_read_by_libsndfile(name)}
    # A film or a compressed copy beside the same recording is no other clip.
    clips = [name for name in clips if _is_read_by_libsndfile(name) or name.with_suffix("") not in stems]
    if not clips:
        n_loose = sum(map(_is_clip, visible))
        contents = f"{n_loose} audio files but no class folders" if n_loose else "no audio"
        raise UsageError(
            f"{path}: holds {contents}; expected CLASS/*.wav (or {', '.join(SUFFIXES[1:])}), "
            "or give a CSV with a column path and label columns"
        )
    table = pd.DataFrame(
        {
            "clip": [path_text(name.as_posix()) for name in clips],
            "path": [path_text(path / name) for name in clips],
        }
    )
    if label:
        table[label] = [path_text(name.parts[0]) for name in clips]
    others = Counter(name.suffix or name.name for name in visible if name.suffix.lower() not in AUDIO)
    notes = (Note("other files", counts=tuple(sorted(others.items()))),) if others else ()
    return dataset(table, name=path.resolve().name, source=str(path), notes=notes)


def _is_read_by_libsndfile(name: Path) -> bool:
    """Return whether a file has the suffix of audio that libsndfile reads."""
    suffix = name.suffix.lower()
    return suffix in SUFFIXES and suffix not in audio.AV_SUFFIXES
