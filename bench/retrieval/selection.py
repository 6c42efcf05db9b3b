"""Selection: the clips of an index that may be hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.errors import UsageError, shortlist
from bench.retrieval import filters
from bench.retrieval.records import File
from bench.retrieval.snapshot import Snapshot
from bench.types.retrieval import Ids

PROPERTIES = ("dataset", "path")
"""Columns of a clip, besides its labels, in which a hit may have to differ from the query."""

NOTHING: Mapping[str, str] = {}


def chunks(snapshot: Snapshot, where: str = "", others: Mapping[str, str] = NOTHING) -> Ids | None:
    """Return the chunks of the clips that a condition chooses, ascending; None for all.

    Parameters
    ----------
    where : str
        As of `files`.
    others : Mapping[str, str]
        As of `files`.

    Raises
    ------
    UsageError
        If the condition is malformed, or names an unknown column.
    """
    return _ids(snapshot, "SELECT id FROM chunks WHERE file IN (SELECT id FROM files WHERE {}) ORDER BY id", where, others)


def files(snapshot: Snapshot, where: str = "", others: Mapping[str, str] = NOTHING) -> Ids | None:
    """Return the clips that a condition chooses, ascending; None for all.

    Parameters
    ----------
    where : str
        See `filters`; empty for all.
    others : Mapping[str, str]
        Column -> value that a clip must not have.

    Raises
    ------
    UsageError
        If the condition is malformed, or names an unknown column.
    """
    return _ids(snapshot, "SELECT id FROM files WHERE {} ORDER BY id", where, others)


def values(clip: File, columns: Sequence[str], snapshot: Snapshot) -> Mapping[str, str]:
    """Return column -> value of a clip, for the columns in which others have to differ from it.

    Raises
    ------
    UsageError
        If a column is unknown, or the clip has no value in it.
    """
    known = {"dataset": clip.dataset, "path": clip.path, **clip.labels}
    for column in columns:
        if column not in known and column in snapshot.columns:
            raise UsageError(f"--not-same {column}: {clip.clip} has no value in it; leave the column out")
        if column not in known:
            raise UsageError(
                f"--not-same {column}: is no column; expected {shortlist([*snapshot.columns, *PROPERTIES], 20)}"
            )
    return {column: known[column] for column in columns}


def _ids(snapshot: Snapshot, select: str, where: str, others: Mapping[str, str]) -> Ids | None:
    """Return the ids that a statement selects with the conditions in the place of its braces."""
    conditions: list[str] = []
    parameters: list[str | int | float] = []
    if where:
        condition, parameters = filters.parse(where).sql(snapshot.columns)
        conditions.append(f"({condition})")
    for column, value in others.items():
        if column in PROPERTIES:
            conditions.append(f"{column} != ?")
            parameters.append(value)
        else:
            conditions.append("id NOT IN (SELECT file FROM labels WHERE name = ? AND value = ?)")
            parameters += [column, value]
    if not conditions:
        return None
    rows = snapshot.connection.execute(select.format(" AND ".join(conditions)), parameters)
    return np.fromiter((id_ for (id_,) in rows), np.int64)
