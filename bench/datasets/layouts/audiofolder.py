"""Split folders or folders of folds, with class folders or a metadata file in each.

The audio folder of Hugging Face `datasets` is one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bench.datasets import folds
from bench.datasets.columns import recognise
from bench.datasets.layouts import folder, manifest
from bench.datasets.tables import SUFFIXES, dataset, read_table
from bench.errors import UsageError, shortlist
from bench.paths import path_text
from bench.types import AUDIO_COLUMNS, Dataset


def recognises(path: Path) -> bool:
    """Return whether a folder has a metadata file, or folders of splits or folds.

    Raises
    ------
    UsageError
        If there are such folders and others, all with audio.
    """
    return any(_metadata(path)) or bool(_folders(path))


def load(path: Path, label: str) -> Dataset:
    """Return the dataset of an audio folder, with its splits as folds; without a test split, dev is the test.

    Parameters
    ----------
    label : str
        Label column for the class folders, where there is no metadata file.

    Raises
    ------
    UsageError
        If a metadata file cannot be parsed, or there is no audio.
    """
    tables = sorted(_metadata(path))
    parts = [manifest.load(file) for file in tables] or [
        folder.load(path / name, label) for name in _folders(path)
    ]
    table = pd.concat([part.table.drop(columns="recording") for part in parts], ignore_index=True)
    labels = [name for name in table.columns if name not in AUDIO_COLUMNS]
    table[labels] = table[labels].fillna("")
    names = [Path(name).relative_to(path_text(path)) for name in table["path"]]
    if "start" not in table:
        table["clip"] = [name.as_posix() for name in names]
    sides = [_fold(name.parts[0]) for name in names]
    if all(sides) and len(set(sides)) > 1:
        has_test = "test" in sides or "dev" not in sides
        table["fold"] = sides if has_test else ["test" if side == "dev" else side for side in sides]
    notes = tuple(replace(note, part=part.name) for part in parts for note in part.notes)
    clips = dataset(table, name=path.resolve().name, source=str(path), notes=notes)
    return recognise(clips) if tables else clips


def _fold(name: str) -> str:
    """Return the fold of a folder; empty if it is neither that of a split nor of a fold."""
    return folds.side(name) or folds.number(name)


def _counts(path: Path) -> bool:
    """Return whether a folder holds audio, or is a split whose files are of another kind."""
    return folder.holds(path, audio=True) or (bool(_fold(path.name)) and folder.holds(path, audio=False))


def _folders(path: Path) -> Sequence[str]:
    """Return the names of split folders, or of folders of folds; none for class folders.

    Folders without audio do not count.

    Raises
    ------
    UsageError
        If there are train and test folders, or several folds, and other folders with audio.
    """
    names = [sub.name for sub in sorted(path.iterdir()) if sub.is_dir() and _counts(sub)]
    sides = [name for name in names if folds.side(name)]
    numbered = [name for name in names if folds.number(name)]
    others = [name for name in names if not _fold(name)]
    if names and (sides == names or (numbered == names and len(names) > 1)):
        return names
    if max(len(set(map(folds.side, sides))), len(numbered)) < 2:  # a class may be called train, too
        return []
    rest = others or numbered
    splits = shortlist({*names} - {*rest})
    raise UsageError(
        f"{path}: holds {splits} and {shortlist(rest)}, all with audio; expected folders of splits "
        "or folds alone: move the others elsewhere, or list the clips in a CSV with the columns path, class, "
        "fold"
    )


def _metadata(path: Path) -> Iterator[Path]:
    """Yield the metadata files of a folder and of its split folders: tables with the column file_name."""
    for pattern in ("metadata.*", "*/metadata.*"):
        for file in path.glob(pattern):
            try:
                if file.suffix in SUFFIXES and "file_name" in read_table(file):
                    yield file
            except UsageError:
                continue  # another kind of file with this name
