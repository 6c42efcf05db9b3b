"""Typed queries: the questions that SQL answers exactly, and their results.

Their conditions are those of ``--where`` (`bench.retrieval.filters`); an empty one is met by all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

MOST = 10_000
"""Largest number of rows that a query asks for."""

Where = Annotated[
    str, Meta(max_length=1_000, description="Condition, such as speaker == '84' and seconds > 3; '' for all.")
]
Column = Annotated[str, Meta(max_length=200, description="Name of a column.")]
Number = Annotated[int, Meta(ge=1, le=MOST)]


class Count(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="count"):
    """The number of recordings."""

    where: Where = ""


class Values(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="values"):
    """The values of a column with the number of recordings of each: how many different, the most frequent."""

    column: Column
    order: Literal["value", "most", "fewest"] = "value"
    n: Number | None = None
    where: Where = ""


class Extremes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="extremes"):
    """The longest or shortest recordings."""

    order: Literal["longest", "shortest"]
    n: Number = 1
    where: Where = ""


class Duration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="duration"):
    """The total, mean, largest or smallest length of recordings, or those of each value of a column."""

    statistic: Literal["total", "mean", "longest", "shortest"]
    per: Column = ""
    where: Where = ""


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="share"):
    """The share of recordings that meet `of`, among those that meet `where`."""

    of: Where
    where: Where = ""


class Listing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="listing"):
    """The recordings that meet a condition, in the order that they were added."""

    where: Where
    n: Number = 100


Query = Count | Values | Extremes | Duration | Share | Listing
"""A typed query."""

Value = str | int | float


@dataclass(frozen=True, slots=True)
class Result:
    """What a typed query returns.

    Parameters
    ----------
    columns : tuple[str, ...]
        Names of the columns; lengths are in s, `chunk` is the id of a recording's first chunk.
    rows : tuple[tuple[Value | None, ...], ...]
        None for a length of no recordings.
    n_rows : int
        Number of rows without the limit of the query.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Value | None, ...], ...]
    n_rows: int


def joined(*conditions: str) -> str:
    """Return the condition that all conditions are met.

    Examples
    --------
    >>> joined("", "seconds > 3"), joined("a == '1' or b == '2'", "seconds > 3")
    ('seconds > 3', "(a == '1' or b == '2') and (seconds > 3)")
    """
    parts = [condition for condition in conditions if condition.strip()]
    return parts[0] if len(parts) == 1 else " and ".join(f"({part})" for part in parts)


def narrowed(query: Query, where: str) -> Query:
    """Return a query about the recordings that also meet a condition."""
    return msgspec.structs.replace(query, where=joined(query.where, where))


def fields(query: Query) -> dict[str, Any]:
    """Return a query as JSON has it, without the fields that are left at their defaults."""
    values: dict[str, Any] = msgspec.to_builtins(query)
    defaults = {field.name: field.default for field in msgspec.structs.fields(query)}
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}
