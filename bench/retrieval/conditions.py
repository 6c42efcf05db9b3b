"""Conditions on the files of an index, and their SQL, into which values go as parameters alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bench.catalog.names import find
from bench.errors import UsageError

Value: TypeAlias = str | int | float

Operator = Literal["=", "<", "<=", ">", ">="]

NUMBER = "CAST(? AS NUMERIC)"
"""A number as a parameter: a text beside it is compared as a number, if it is one."""

TEXTS = "{0} IN (SELECT value FROM json_each(?))"

NUMBERS = "EXISTS (SELECT 1 FROM json_each(?) AS listed WHERE {0} = CAST(listed.value AS NUMERIC))"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of files.

    Parameters
    ----------
    name : str
        A key of `FIELDS`, or a label column.
    is_label : bool
        Whether it is a label column, even if `FIELDS` has the name.
    """

    name: str
    is_label: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column compared with a value.

    Where a file has several values, such as captions, it is enough that one of them fits.
    """

    column: Column
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Membership:
    """A column that has one of several values."""

    column: Column
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Containment:
    """A column that holds a text, in small or capital letters."""

    column: Column
    text: str


@dataclass(frozen=True, slots=True)
class Presence:
    """A column that has a value."""

    column: Column


@dataclass(frozen=True, slots=True)
class Negation:
    """What holds where a condition does not."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Combination:
    """Conditions that hold all, or one at least."""

    operator: Literal["and", "or"]
    parts: Sequence[Condition]


Test: TypeAlias = Comparison | Membership | Containment | Presence

Condition: TypeAlias = Test | Negation | Combination


@dataclass(frozen=True, slots=True)
class Field:
    """Where the database holds a column.

    Parameters
    ----------
    value : str
        The column in SQL, with its table.
    within : str
        Condition on `files` around the one on the value, which replaces ``{}``.
    is_number : bool
    parameters : Sequence[str]
        Those of `within`.
    """

    value: str
    within: str = "{}"
    is_number: bool = False
    parameters: Sequence[str] = ()


def _text(kind: str) -> Field:
    return Field(
        "captions.text", "files.id IN (SELECT file FROM captions WHERE kind = ? AND {})", parameters=(kind,)
    )


FIELDS: Mapping[str, Field] = {
    "dataset": Field("files.dataset"),
    "clip": Field("files.clip"),
    "path": Field("files.path"),
    "seconds": Field("files.seconds", is_number=True),
    "file": Field("files.id", is_number=True),
    "id": Field("chunks.id", "files.id IN (SELECT file FROM chunks WHERE {})", is_number=True),
    "cluster": Field("clusters.cluster", "files.id IN (SELECT file FROM clusters WHERE {})"),
    "title": Field(
        "titles.title", "files.id IN (SELECT file FROM clusters JOIN titles USING (cluster) WHERE {})"
    ),
    "domain": Field(
        "each.domain",
        "files.id IN (SELECT file FROM domains AS each WHERE {} AND score = "
        "(SELECT max(score) FROM domains WHERE file = each.file AND model = each.model))",
    ),
    "caption": _text("caption"),
    "transcript": _text("transcript"),
    "tags": _text("tags"),
    "acoustics": _text("acoustics"),
}
"""Name in a filter -> its column; `file` is the id of a file, `id` that of any of its chunks.

The domain of a file is the likeliest one of each model.
"""


def sql(condition: Condition, labels: Collection[str]) -> tuple[str, list[Value]]:
    """Return a condition on the table `files`, and its parameters.

    Parameters
    ----------
    labels : Collection[str]
        The label columns.

    Raises
    ------
    UsageError
        If there is no column of a name, or a number is compared with a text.
    """
    if isinstance(condition, Negation):
        text, values = sql(condition.part, labels)
        return f"NOT {text}", values
    if isinstance(condition, Combination):
        parts = [sql(part, labels) for part in condition.parts]
        joined = f" {condition.operator.upper()} ".join(text for text, _ in parts)
        return f"({joined})", [value for _, values in parts for value in values]
    field = _field(condition.column, labels)
    test, parameters = _test(condition, field)
    return f"({field.within.format(test)})", [*field.parameters, *parameters]


def _field(column: Column, labels: Collection[str]) -> Field:
    """Return where the database holds a column."""
    within = "files.id IN (SELECT file FROM labels WHERE name = ? AND {})"
    fields = {name: Field("labels.value", within, parameters=(name,)) for name in labels}
    return find("column of --where", column.name, fields if column.is_label else {**fields, **FIELDS})


def _test(test: Test, field: Field) -> tuple[str, Sequence[Value]]:
    """Return a test of the values of a column."""
    match test:
        case Comparison(column, operator, str(text)):
            _refuse_texts(column, [text], field)
            return f"{field.value} {operator} ?", [text]
        case Comparison(_, operator, number):
            # In SQLite's order any text is above all numbers.
            is_number = "" if field.is_number else f" AND {field.value} <= CAST(9e999 AS REAL)"
            return f"{field.value} {operator} {NUMBER}{is_number}", [number]
        case Membership(column, values):
            texts = [value for value in values if isinstance(value, str)]
            _refuse_texts(column, texts, field)
            numbers = [value for value in values if not isinstance(value, str)]
            if not numbers:  # found by an index
                return TEXTS.format(field.value), [json.dumps(texts)]
            listed = f"({TEXTS} OR {NUMBERS})".format(field.value)
            return listed, [json.dumps(texts), json.dumps(numbers)]
        case Containment(column, text):
            _refuse_texts(column, [text], field)
            return f"instr(casefold({field.value}), ?)", [text.casefold()]
        case Presence():
            return f"{field.value} IS NOT NULL", []


def _refuse_texts(column: Column, texts: Sequence[str], field: Field) -> None:
    """Refuse texts beside a column of numbers."""
    if field.is_number and texts:
        raise UsageError(
            f"--where: '{column.name}' is a number, compared with the text {texts[0]!r}; expected a number, "
            f"as in {column.name} > 2"
        )
