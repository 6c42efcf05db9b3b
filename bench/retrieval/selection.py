"""Selection: the clips of an index that may be hits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import UsageError, shortlist
from bench.retrieval import filters
from bench.retrieval.conditions import Column, Combination, Comparison, Condition, Negation
from bench.retrieval.filters import Filter
from bench.retrieval.records import File
from bench.retrieval.snapshot import Snapshot

PROPERTIES = ("dataset", "path")
"""Columns of a clip, besides its labels, in which a hit may have to differ from the query."""

NOTHING: Mapping[Column, str] = {}


def choice(where: str, others: Mapping[Column, str] = NOTHING) -> Filter | None:
    """Return the filter of the clips that fit a condition and lack some values; None for all clips.

    Parameters
    ----------
    where : str
        See `filters`; empty for all.
    others : Mapping[Column, str]
        Column -> value that a clip must not have.

    Raises
    ------
    UsageError
        If the condition is malformed.
    """
    parts: list[Condition] = [filters.parse(where).condition] if where else []
    parts += [Negation(Comparison(column, "=", value)) for column, value in others.items()]
    return Filter(where, Combination("and", parts)) if parts else None


def values(clip: File, names: Sequence[str], snapshot: Snapshot) -> Mapping[Column, str]:
    """Return column -> value of a clip, for the columns in which others have to differ from it.

    Raises
    ------
    UsageError
        If a column is unknown, or the clip has no value in it.
    """
    properties = {"dataset": clip.dataset, "path": clip.path}
    columns: dict[Column, str] = {}
    for name in names:
        if name in clip.labels:
            columns[Column(name, is_label=True)] = clip.labels[name]
        elif name in snapshot.columns:
            raise UsageError(f"--not-same {name}: {clip.clip} has no value in it; leave the column out")
        elif name in properties:
            columns[Column(name)] = properties[name]
        else:
            expected = shortlist([*snapshot.columns, *PROPERTIES], 20)
            raise UsageError(f"--not-same {name}: is no column; expected {expected}")
    return columns
