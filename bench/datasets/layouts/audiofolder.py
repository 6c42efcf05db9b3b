"""The audio folder of Hugging Face `datasets`: split folders, with class folders or a metadata file."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bench.datasets.layouts import folder, manifest
from bench.datasets.tables import SUFFIXES, dataset, read_table
from bench.errors import UsageError
from bench.paths import path_text
from bench.types import AUDIO_COLUMNS, Dataset

SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "dev"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""Name of a split folder -> fold."""


def recognises(path: Path) -> bool:
    """Return whether a folder has a metadata file, or split folders and no other ones."""
    folders = [sub.name for sub in path.iterdir() if sub.is_dir() and not sub.name.startswith(".")]
    return any(_metadata(path)) or (bool(folders) and all(name.lower() in SPLITS for name in folders))


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
    parts = [manifest.load(file) for file in sorted(_metadata(path))] or [
        folder.load(sub, label) for sub in sorted(path.iterdir()) if sub.name.lower() in SPLITS
    ]
    table = pd.concat([part.table.drop(columns="recording") for part in parts], ignore_index=True)
    labels = [name for name in table.columns if name not in AUDIO_COLUMNS]
    table[labels] = table[labels].fillna("")
    names = [Path(name).relative_to(path_text(path)) for name in table["path"]]
    if "start" not in table:
        table["clip"] = [name.as_posix() for name in names]
    folds = [SPLITS.get(name.parts[0].lower(), "") for name in names]
    if all(folds) and len(set(folds)) > 1:
        table["fold"] = folds if "test" in folds else ["test" if fold == "dev" else fold for fold in folds]
    return dataset(table, name=path.resolve().name, source=str(path))


def _metadata(path: Path) -> Iterator[Path]:
    """Yield the metadata files of a folder and of its split folders: tables with the column file_name."""
    for pattern in ("metadata.*", "*/metadata.*"):
        for file in path.glob(pattern):
            try:
                if file.suffix in SUFFIXES and "file_name" in read_table(file):
                    yield file
            except UsageError:
                continue  # another kind of file with this name
