"""The layout of Hugging Face `datasets` on disk: split folders, with classes or a metadata file."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bench.datasets.kinds import folder, manifest
from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.types import AUDIO_COLUMNS, Dataset

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "dev"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""What a split's folder may be called -> its fold."""


def recognises(path: Path) -> bool:
    """Return whether a folder has a metadata file, or none but split folders."""
    inside = [sub.name for sub in path.iterdir() if sub.is_dir() and not sub.name.startswith(".")]
    return any(_listings(path)) or (bool(inside) and all(name.lower() in SPLITS for name in inside))


def load(path: Path, label: str) -> Dataset:
    """Return the dataset of an audio folder; its splits are the folds, of which dev is tested without a test.

    Parameters
    ----------
    label : str
        The name of the label column that the classes of a folder without metadata go into.

    Raises
    ------
    UsageError
        If a metadata file cannot be parsed, or there is no audio.
    """
    listings = sorted(_listings(path))
    parts = [manifest.load(listing).table.drop(columns="recording") for listing in listings]
    splits = [] if parts else sorted(sub for sub in path.iterdir() if sub.name.lower() in SPLITS)
    parts += [folder.load(split, label).table.drop(columns="recording") for split in splits]
    table = pd.concat(parts, ignore_index=True)
    labels = [name for name in table.columns if name not in AUDIO_COLUMNS]
    table[labels] = table[labels].fillna("")
    names = [Path(name).relative_to(path) for name in table["path"]]
    if "start" not in table:
        table["clip"] = [name.as_posix() for name in names]
    folds = [SPLITS.get(name.parts[0].lower(), "") for name in names]
    if all(folds) and len(set(folds)) > 1:
        table["fold"] = folds if "test" in folds else ["test" if fold == "dev" else fold for fold in folds]
    return dataset(table, name=path.resolve().name, source=str(path))


def _listings(path: Path) -> Iterator[Path]:
    """Yield the metadata files of the folder and of its split folders, which have the column file_name."""
    for pattern in ("metadata.*", "*/metadata.*"):
        for file in path.glob(pattern):
            try:
                if file.suffix in manifest.SUFFIXES and "file_name" in manifest.read_table(file):
                    yield file
            except UsageError:
                continue  # a file of that name that is something else
