"""Datasets of audio files with their labels in their names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bench.datasets import fetch, leftovers, patterns
from bench.datasets.columns import recognise
from bench.datasets.params import call
from bench.datasets.tables import dataset
from bench.datasets.transformations import Transformations
from bench.errors import UsageError, reason
from bench.paths import path_text
from bench.types import AUDIO_COLUMNS, Card, Dataset


def from_card(
    card: Card, home: Path, /, path: str, pattern: str, lists: Mapping[str, str] | None = None, **options: Any
) -> Dataset:
    """Return the dataset of the files that match a pattern, transformed.

    Parameters
    ----------
    path : str
        Folder, relative to the card or its download.
    pattern, lists
        See `load`.
    options
        Fields of `Transformations`.

    Raises
    ------
    UsageError
        If an option is unknown, or the pattern, a list or a transformation does not fit.
    """
    where, siblings = f"{card.source}: params", ["path", "pattern", "lists"]
    transformations = call(Transformations, params=options, where=where, siblings=siblings)
    folder = fetch.located(card, home, path)
    return recognise(transformations.apply(load(folder, pattern, lists), card, folder))


def load(path: Path, pattern: str, lists: Mapping[str, str] | None = None) -> Dataset:
    """Return the dataset of the files below a folder that match a pattern.

    Parameters
    ----------
    pattern : str
        Regular expression for the whole path of a file, relative to the folder; named groups become label
        columns. Other files are left out.
    lists : Mapping[str, str] | None
        Fold -> file in the folder with the paths of its clips; other clips are in the fold ``train``.

    Raises
    ------
    UsageError
        If the pattern is malformed, takes too long or names a group as a column of the audio, no file matches
        it, or a list is missing.
    """
    names = [path_text(file.relative_to(path).as_posix()) for file in sorted(path.rglob("*"))]
    groups = patterns.match(str(path), pattern, names, whole=True)
    matches = [(name, match.named) for name, match in zip(names, groups, strict=True) if match]
    if not matches:
        raise UsageError(f"{path}: no file matches the pattern '{pattern}'")
    taken = sorted({"clip", "path", *AUDIO_COLUMNS} & matches[0][1].keys())
    if taken:
        raise UsageError(
            f"{path}: pattern '{pattern}' has a group '{taken[0]}', which is no label; rename it"
        )
    table = pd.DataFrame(
        [{"clip": name, "path": path_text(path / name), **labels} for name, labels in matches]
    )
    if lists:
        table["fold"] = "train"
        for fold, file in lists.items():
            table.loc[table["clip"].isin(_lines(path / file)), "fold"] = fold
    return leftovers.watched(dataset(table, name=path.resolve().name, source=str(path)), path)


def _lines(path: Path) -> set[str]:
    """Return the lines of a file, without white space at their ends."""
    try:
        return {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({reason(error)})") from error
