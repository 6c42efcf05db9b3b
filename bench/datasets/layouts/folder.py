"""A folder with one folder per class: CLASS/*.wav."""

from collections import Counter
from pathlib import Path

import pandas as pd

from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.types import Dataset

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif")


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
        Label column for the classes.

    Raises
    ------
    UsageError
        If no class folder contains audio.
    """
    files = (file.relative_to(path) for file in sorted(path.rglob("*")) if file.is_file())
    visible = list(filter(_is_visible, files))
    clips = [name for name in visible if _is_clip(name) and len(name.parts) > 1]
    if not clips:
        n_loose = sum(map(_is_clip, visible))
        contents = f"{n_loose} audio files but no class folders" if n_loose else "no audio"
        raise UsageError(
            f"{path}: holds {contents}; expected CLASS/*.wav (or {', '.join(SUFFIXES[1:])}), "
            "or give a CSV with a column path and label columns"
        )
    table = pd.DataFrame(
        {
            "clip": [name.as_posix() for name in clips],
            "path": [str(path / name) for name in clips],
            label: [name.parts[0] for name in clips],
        }
    )
    others = Counter(name.suffix or name.name for name in sorted(set(visible) - set(clips)))
    counts = ", ".join(f"{n} {suffix}" for suffix, n in sorted(others.items()))
    notes = (f"Files left out, outside of class folders or not audio: {counts}.",) if others else ()
    return dataset(table, name=path.resolve().name, source=str(path), notes=notes)
