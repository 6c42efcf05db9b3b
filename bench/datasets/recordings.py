"""Recordings: what files are pieces of, by their names."""

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from bench.datasets import patterns
from bench.errors import UsageError, readable, shortlist
from bench.types import Dataset, Note

PIECE = re.compile(r"(.*[^\d])([_.\- ])\(?(\d+)\)?", re.DOTALL)
"""A name without its suffix that ends in a number: the recording, a separator, and the number."""

OPTION = "--parent-pattern"


def is_by_file(dataset: Dataset) -> bool:
    """Return whether every file counts as a recording of its own: the dataset says nothing else."""
    pairs = dataset.table[["path", "recording"]].drop_duplicates()
    if pairs["path"].duplicated().any() or pairs["recording"].duplicated().any():
        return False
    return all(
        readable(path).endswith(name) for path, name in zip(pairs["path"], pairs["recording"], strict=True)
    )


def by_pattern(dataset: Dataset, pattern: str) -> Dataset:
    """Return a dataset whose recordings are a group of their files' names; other files stay as they are.

    Parameters
    ----------
    pattern : str
        Regular expression that matches a part of a file's path, relative to the folder that all files share.
        Its group ``recording``, or else its only named or its first group, is the recording.

    Raises
    ------
    UsageError
        If the pattern is malformed, has no group or matches no file, or if the dataset names recordings.
    """
    where = f"{OPTION}: {dataset.source}"
    if not is_by_file(dataset):
        raise UsageError(f"{where} has a column 'recording' already; leave out {OPTION}, or the column")
    names = dataset.table["recording"].unique().tolist()
    matches = patterns.match(OPTION, pattern, names, whole=False)
    if not re.compile(pattern).groups:
        raise UsageError(f"{OPTION} '{pattern}': has no group; expected one such as in '(.+)_[0-9]+'")
    parents = {name: _parent(groups) for name, groups in zip(names, matches, strict=True) if groups}
    if not any(parents.values()):
        raise UsageError(f"{where}: no file matches '{pattern}'; its files are {shortlist(names, 3)}")
    recordings = dataset.table["recording"].map({name: parents.get(name) or name for name in names})
    n_others = sum(not parents.get(name) for name in names)
    note = Note("recordings", (pattern,), count=n_others, total=len(names))
    return dataclasses.replace(
        dataset, table=dataset.table.assign(recording=recordings), notes=(*dataset.notes, note)
    )


def _parent(groups: patterns.Groups) -> str | None:
    """Return the recording that a match names."""
    named = groups.named
    return named.get("recording") or next(iter(named.values()), None) or groups.all[0]


def remark(dataset: Dataset) -> Note | None:
    """Return that every file counts as a recording, and whether names say otherwise; None if some do not.

    Examples
    --------
    >>> _pieces(["a/x_001.wav", "a/x_002.wav", "b/y_001.wav", "b/y_002.wav"])
    (2, '_')
    """
    if not is_by_file(dataset):
        return None
    pieces = _pieces(dataset.table["recording"].unique().tolist())
    return Note("files", (pieces[1],), count=pieces[0]) if pieces else Note("files")


def _pieces(names: Sequence[str]) -> tuple[int, str] | None:
    """Return how many recordings most files look like pieces of, and the separator; None for none."""
    stems = (PurePosixPath(name).with_suffix("").as_posix() for name in names)
    matches = [match for stem in stems if (match := PIECE.fullmatch(stem))]
    n_names = len({match[1] for match in matches})
    if len(matches) <= len(names) / 2 or n_names > len(matches) / 2:
        return None
    return n_names, Counter(match[2] for match in matches).most_common(1)[0][0]
