"""Counting: typed query -> SQL with parameters -> result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from bench.answering.queries import Count, Duration, Extremes, Listing, Query, Result, Share, Value, Values
from bench.errors import UsageError, shortlist
from bench.retrieval import filters
from bench.retrieval.snapshot import Snapshot

STATISTICS = {
    "total": "coalesce(sum(seconds), 0.0)",
    "mean": "avg(seconds)",
    "longest": "max(seconds)",
    "shortest": "min(seconds)",
}
"""Statistic of lengths -> its SQL."""

JOINS = {
    "dataset": ("", "files.dataset"),
    "cluster": ("JOIN clusters AS grouping ON grouping.file = files.id", "grouping.cluster"),
    "title": (
        "JOIN clusters ON clusters.file = files.id JOIN titles AS grouping USING (cluster)",
        "grouping.title",
    ),
    "domain": (
        "JOIN (SELECT DISTINCT file, domain FROM domains AS each WHERE score = (SELECT max(score) "
        "FROM domains WHERE file = each.file AND model = each.model)) AS grouping "
        "ON grouping.file = files.id",
        "grouping.domain",
    ),
}
"""Column that is no label -> what joins it to the files, and its SQL.

The domain of a file is the likeliest one of each model.
"""

LABEL = "JOIN labels AS grouping ON grouping.file = files.id AND grouping.name = ?", "grouping.value"
ORDERS = {"value": "2", "most": "3 DESC, 2", "fewest": "3, 2"}
FILES = "(SELECT min(chunks.id) FROM chunks WHERE chunks.file = files.id), clip, seconds, path"
FILE_COLUMNS = ("chunk", "clip", "seconds", "path")


@dataclass(frozen=True, slots=True)
class Selection:
    """A condition in SQL with the values of its parameters."""

    sql: str
    values: tuple[object, ...]


def columns(snapshot: Snapshot) -> Sequence[str]:
    """Return the columns that recordings can be counted by: labels, and those of `JOINS`."""
    return [*(name for name in snapshot.columns if name not in JOINS), *JOINS]


def run(query: Query, snapshot: Snapshot) -> Result:
    """Return the result of a query.

    Raises
    ------
    UsageError
        If a condition is none, or a column is unknown.
    """
    return _run(query, snapshot)


def selection(where: str, snapshot: Snapshot) -> Selection:
    """Return a condition on the table of files.

    Raises
    ------
    UsageError
        If it is no condition, or a column is unknown.
    """
    if not where.strip():
        return Selection("1", ())
    sql, values = filters.parse(where).sql(snapshot.columns)
    return Selection(f"({sql})", tuple(values))


@singledispatch
def _run(query: Query, snapshot: Snapshot) -> Result:
    raise TypeError(query)


@_run.register
def _count(query: Count, snapshot: Snapshot) -> Result:
    condition = selection(query.where, snapshot)
    rows = _rows(snapshot, f"SELECT count(*) FROM files WHERE {condition.sql}", condition.values)
    return Result(("recordings",), rows, 1)


@_run.register
def _values(query: Values, snapshot: Snapshot) -> Result:
    join, expression, names = _grouping(query.column, snapshot)
    condition = selection(query.where, snapshot)
    rows = _rows(
        snapshot,
        f"SELECT count(*) OVER (), {expression}, count(DISTINCT files.id) FROM files {join} "
        f"WHERE {condition.sql} GROUP BY 2 ORDER BY {ORDERS[query.order]} LIMIT ?",
        (*names, *condition.values, query.n or -1),
    )
    return Result((query.column, "recordings"), tuple(row[1:] for row in rows), _total(rows))


@_run.register
def _extremes(query: Extremes, snapshot: Snapshot) -> Result:
    order = "seconds DESC, id" if query.order == "longest" else "seconds, id"
    return _files(snapshot, query.where, order, query.n)


@_run.register
def _listing(query: Listing, snapshot: Snapshot) -> Result:
    return _files(snapshot, query.where, "id", query.n)


@_run.register
def _duration(query: Duration, snapshot: Snapshot) -> Result:
    condition = selection(query.where, snapshot)
    statistic, name = STATISTICS[query.statistic], f"{query.statistic}_seconds"
    if not query.per:
        sql = f"SELECT {statistic}, count(*) FROM files WHERE {condition.sql}"
        return Result((name, "recordings"), _rows(snapshot, sql, condition.values), 1)
    join, expression, names = _grouping(query.per, snapshot)
    rows = _rows(
        snapshot,
        f"SELECT {expression}, {statistic}, count(*) FROM files {join} "
        f"WHERE {condition.sql} GROUP BY 1 ORDER BY 1",
        (*names, *condition.values),
    )
    return Result((query.per, name, "recordings"), rows, len(rows))


@_run.register
def _share(query: Share, snapshot: Snapshot) -> Result:
    part, whole = selection(query.of, snapshot), selection(query.where, snapshot)
    rows = _rows(
        snapshot,
        "SELECT avg(is_met), coalesce(sum(is_met), 0), count(*) FROM "
        f"(SELECT CASE WHEN {part.sql} THEN 1 ELSE 0 END AS is_met FROM files WHERE {whole.sql})",
        (*part.values, *whole.values),
    )
    return Result(("share", "recordings", "of"), rows, 1)


def _files(snapshot: Snapshot, where: str, order: str, n: int) -> Result:
    """Return the first files of an order."""
    condition = selection(where, snapshot)
    rows = _rows(
        snapshot,
        f"SELECT count(*) OVER (), {FILES} FROM files WHERE {condition.sql} ORDER BY {order} LIMIT ?",
        (*condition.values, n),
    )
    return Result(FILE_COLUMNS, tuple(row[1:] for row in rows), _total(rows))


def _total(rows: Sequence[Sequence[Value | None]]) -> int:
    """Return the number of all rows, which stands in the first column of each."""
    return int(rows[0][0] or 0) if rows else 0


def _grouping(column: str, snapshot: Snapshot) -> tuple[str, str, tuple[str, ...]]:
    """Return what joins a column to the files, its SQL and the values of parameters.

    Raises
    ------
    UsageError
        If there is no such column.
    """
    if column in JOINS:  # as in a filter, before a label of this name
        return *JOINS[column], ()
    if column in snapshot.columns:
        return *LABEL, (column,)
    raise UsageError(f"'{column}': no such column; expected one of {shortlist(columns(snapshot), most=20)}")


def _rows(snapshot: Snapshot, sql: str, values: Sequence[object]) -> tuple[tuple[Value | None, ...], ...]:
    """Return what a statement selects; nothing but its parameters comes from the user."""
    return tuple(snapshot.connection.execute(sql, values))
