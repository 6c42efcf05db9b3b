"""Layouts of clips on disk, one module each, and the choice among them for a path."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.datasets import leftovers
from bench.datasets.columns import recognise
from bench.datasets.layouts import audformat, audiofolder, files, folder, librispeech, manifest
from bench.datasets.layouts.files import from_stream
from bench.datasets.tables import SUFFIXES
from bench.errors import UsageError
from bench.types import Dataset

__all__ = ["from_path", "from_stream", "from_table", "load"]


def from_path(path: Path, label: str, audio: Path | None = None) -> Dataset:
    """Return the dataset of a path, with its declared columns, however they are spelled; see `load`."""
    dataset = load(path, label, audio)
    return recognise(dataset) if path.is_file() or audformat.recognises(path) else dataset


def load(
    path: Path, label: str, audio: Path | None = None, rename: Mapping[str, str] = manifest.NO_RENAMES
) -> Dataset:
    """Return the dataset of a folder, a manifest or an audio file, with its columns as they are called there.

    That of a folder or a manifest can tell which audio it leaves out.

    Parameters
    ----------
    label : str
        Label column for the classes of a folder CLASS/*.wav; '' for no classes, but every file.
    audio : Path | None
        Folder that relative paths of a manifest start from; that of the manifest if None.
    rename : Mapping[str, str]
        Column of a manifest -> its new name; of these, the ones that say what a clip is.

    Raises
    ------
    UsageError
        If the path does not exist or has none of the layouts.
    """
    if path.suffix.lower() in folder.SUFFIXES and path.is_file():
        return files.from_file(path)
    if path.suffix.lower() in SUFFIXES:
        dataset = manifest.load(path, audio, rename)
    else:
        dataset = _of_folder(path, label)
    return leftovers.watched(dataset, path)


def _of_folder(path: Path, label: str) -> Dataset:
    """Return the dataset of a folder; see `load`."""
    if not path.is_dir():
        problem = "is no folder and no manifest" if path.exists() else "does not exist"
        suffixes = " or ".join(SUFFIXES)
        expected = f"expected a folder, an audio file, a {suffixes} file or a data set's name"
        raise UsageError(f"{path}: {problem}; {expected}")
    if librispeech.recognises(path):
        return librispeech.load(path)
    if audformat.recognises(path):
        return audformat.load(path)
    return audiofolder.load(path, label) if audiofolder.recognises(path) else folder.load(path, label)


def from_table(table: pd.DataFrame, name: str) -> Dataset:
    """Return the dataset of a table with the columns of a manifest; paths are relative to the working folder.

    Raises
    ------
    UsageError
        See `manifest.load`.
    """
    return recognise(manifest.from_rows(table.reset_index(drop=True), Path.cwd() / name, name))
