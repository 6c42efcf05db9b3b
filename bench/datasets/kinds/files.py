"""Datasets of audio files with their labels in their names."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.datasets import fetch, leftovers
from bench.datasets.columns import recognise
from bench.datasets.params import call
from bench.datasets.tables import dataset
from bench.datasets.transformations import Transformations
from bench.errors import UsageError, reason
from bench.paths import path_text
from bench.types import Card, Dataset

MATCH_S = 60
"""Longest time to match all names of a dataset with its pattern, in s; a million names take some seconds."""

MATCH = """
import json, re, sys
pattern, names = json.load(sys.stdin)
matches = map(re.compile(pattern).fullmatch, names)
json.dump([match and match.groupdict() for match in matches], sys.stdout)
"""


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
        If the pattern is malformed or takes too long, no file matches it, or a list is missing.
    """
    names = [path_text(file.relative_to(path).as_posix()) for file in sorted(path.rglob("*"))]
    groups = _groups(path, pattern, names)
    matches = [(name, labels) for name, labels in zip(names, groups, strict=True) if labels is not None]
    if not matches:
        raise UsageError(f"{path}: no file matches the pattern '{pattern}'")
    table = pd.DataFrame(
        [{"clip": name, "path": path_text(path / name), **labels} for name, labels in matches]
    )
    if lists:
        table["fold"] = "train"
        for fold, file in lists.items():
            table.loc[table["clip"].isin(_lines(path / file)), "fold"] = fold
    return leftovers.noted(dataset(table, name=path.resolve().name, source=str(path)), path)


def _groups(path: Path, pattern: str, names: Sequence[str]) -> list[dict[str, str] | None]:
    """Return the named groups of every name that a pattern matches as a whole; None of any other.

    A pattern such as ``(a+)+$`` can take years. Python's matching has no limit, but a process has.

    Raises
    ------
    UsageError
        If the pattern is malformed or takes too long.
    """
    try:
        re.compile(pattern)
        call = [sys.executable, "-I", "-S", "-c", MATCH]
        text = json.dumps([pattern, names])
        done = subprocess.run(call, input=text, capture_output=True, text=True, timeout=MATCH_S, check=True)  # noqa: S603
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"{path}: pattern '{pattern}' is no regular expression ({error})") from error
    except subprocess.TimeoutExpired as error:
        slow = f"does not match {len(names)} names within {MATCH_S} s; leave out nested repetitions"
        raise UsageError(f"{path}: pattern '{pattern}' {slow}") from error
    groups: list[dict[str, str] | None] = json.loads(done.stdout)
    return groups


def _lines(path: Path) -> set[str]:
    """Return the lines of a file, without white space at their ends."""
    try:
        return {line.strip() for line in path.read_text(encoding="utf-8").splitlines()}
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({reason(error)})") from error
