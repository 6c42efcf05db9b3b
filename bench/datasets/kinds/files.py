"""Audio files whose labels are in their names."""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.types import Dataset


def load(path: Path, pattern: str, lists: Mapping[str, str] | None = None) -> Dataset:
    """Return the dataset of the files below a folder whose path matches a pattern.

    Parameters
    ----------
    pattern : str
        A regular expression for the whole path of a file, relative to the folder; its named groups become
        label columns. A file that does not match is no clip.
    lists : Mapping[str, str] | None
        Fold -> a file in the folder that lists the paths of its clips; the others are in the fold ``train``.

    Raises
    ------
    UsageError
        If the pattern is none, no file matches it, or a list is not there.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{path}: pattern '{pattern}' is no regular expression ({error})") from error
    names = (file.relative_to(path).as_posix() for file in sorted(path.rglob("*")))
    matches = [(name, match.groupdict()) for name in names if (match := expression.fullmatch(name))]
    if not matches:
        raise UsageError(f"{path}: no file matches the pattern '{pattern}'")
    table = pd.DataFrame([{"clip": name, "path": str(path / name), **labels} for name, labels in matches])
    if lists:
        table["fold"] = "train"
        for fold, file in lists.items():
            table.loc[table["clip"].isin(_listed(path / file)), "fold"] = fold
    return dataset(table, name=path.resolve().name, source=str(path))


def _listed(path: Path) -> set[str]:
    try:
        return {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
