"""A folder with one folder per class: CLASS/*.wav."""

from collections import Counter
from pathlib import Path

import pandas as pd

from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.types import Dataset

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif")


def load(path: Path, label: str) -> Dataset:
    """Return the dataset of a folder, its clips at any depth below their class; hidden files do not count.

    Parameters
    ----------
    label : str
        The name of the label column that the classes go into.

    Raises
    ------
    UsageError
        If there is no audio in any class folder.
    """
    names = (file.relative_to(path) for file in sorted(path.rglob("*")) if file.is_file())
    visible = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    inside = [name for name in visible if name.suffix.lower() in SUFFIXES and len(name.parts) > 1]
    if not inside:
        n_loose = sum(name.suffix.lower() in SUFFIXES for name in visible)
        found = f"{n_loose} audio files but no class folders" if n_loose else "no audio"
        raise UsageError(
            f"{path}: holds {found}; expected CLASS/*.wav (or {', '.join(SUFFIXES[1:])}), "
            "or give a CSV with a column path and label columns"
        )
    table = pd.DataFrame(
        {
            "clip": [name.as_posix() for name in inside],
            "path": [str(path / name) for name in inside],
            label: [name.parts[0] for name in inside],
        }
    )
    others = Counter(name.suffix or name.name for name in sorted(set(visible) - set(inside)))
    left_out = ", ".join(f"{n} {suffix}" for suffix, n in sorted(others.items()))
    notes = (
        (f"Files left out, for lying outside of a class folder or being no audio: {left_out}.",)
        if others
        else ()
    )
    return dataset(table, name=path.resolve().name, source=str(path), notes=notes)
