"""A folder with one folder per class: CLASS/*.wav."""

from pathlib import Path

import pandas as pd

from bench.datasets.table import dataset
from bench.errors import UsageError
from bench.types import Dataset

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


def load(path: Path, label: str) -> Dataset:
    """Return the dataset of a folder; clips may lie at any depth below their class.

    Parameters
    ----------
    label : str
        The name of the label column that the classes go into.

    Raises
    ------
    UsageError
        If there is no audio in any class folder.
    """
    files = [f for f in sorted(path.rglob("*")) if f.suffix.lower() in SUFFIXES and f.is_file()]
    inside = [f for f in files if f.parent != path]
    if not inside:
        found = f"{len(files)} audio files but no class folders" if files else "no audio"
        raise UsageError(
            f"{path}: holds {found}; expected CLASS/*.wav (or {', '.join(SUFFIXES[1:])}), "
            "or give a CSV with a column path and label columns"
        )
    names = [f.relative_to(path) for f in inside]
    table = pd.DataFrame(
        {
            "clip": [n.as_posix() for n in names],
            "path": [str(f) for f in inside],
            label: [n.parts[0] for n in names],
        }
    )
    outside = len(files) - len(inside)
    notes = (f"{outside} audio files outside of the class folders are left out",) if outside else ()
    return dataset(table, name=path.resolve().name, source=str(path), notes=notes)
