"""Choosing: a language model chooses the typed query that a question asks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bench.answering import counting
from bench.answering.queries import Query
from bench.answering.vocabulary import Vocabulary
from bench.errors import UsageError
from bench.language import data, read_prompt
from bench.types.retrieval import LanguageModel, Message

SHOWN = 8
"""Largest number of a column's values that a model sees."""

PLAIN = re.compile(r"[\w.+-]+(?: [\w.+-]+){0,2}")
"""A value that a model may see: a few words."""

FACTORS = (1, 60, 3600, 0.001)
"""Seconds in the units of a question."""


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="texts"):
    """A question about what is said or heard, which no typed query answers."""


def schema(columns: Sequence[str]) -> Mapping[str, Any]:
    """Return the JSON Schema of a choice among the queries about some columns."""
    (union,), components = msgspec.json.schema_components((Query | Texts,), ref_template="#/$defs/{name}")
    components["Values"]["properties"]["column"] = {"enum": [*columns]}
    components["Duration"]["properties"]["per"] = {"enum": ["", *columns]}
    return {"anyOf": union["anyOf"], "$defs": components}


def messages(question: str, vocabulary: Vocabulary) -> Sequence[Message]:
    """Return what a model is asked: the question, and the columns of an index with some of their values."""
    columns = [
        f"{name}: {', '.join(filter(PLAIN.fullmatch, vocabulary.examples(name, SHOWN)))}"
        for name in counting.columns(vocabulary.snapshot)
    ]
    return read_prompt("query").messages(question=data([question]), columns=data(columns))


def choose(question: str, vocabulary: Vocabulary, model: LanguageModel) -> Query | None:
    """Return the query that a model chooses; None if it chooses none or one about what nobody asked for.

    Raises
    ------
    LanguageModelError
        If the model does not answer.
    """
    columns = counting.columns(vocabulary.snapshot)
    answer = model.complete(messages(question, vocabulary), schema(columns))
    try:
        choice: Query | Texts = msgspec.convert(answer, Query | Texts)
        if isinstance(choice, Texts) or not is_named(choice, question, vocabulary):
            return None
        counting.run(choice, vocabulary.snapshot)  # a column or a condition may be none
    except (UsageError, msgspec.ValidationError):
        return None
    return choice


def is_named(query: Query, question: str, vocabulary: Vocabulary) -> bool:
    """Return whether a question names the column of a query and every value of its conditions.

    Raises
    ------
    UsageError
        If a condition is none.
    """
    conditions = [value for name in ("where", "of") if (value := getattr(query, name, ""))]
    constants = [constant for condition in conditions for constant in _constants(condition)]
    column = getattr(query, "column", "") or getattr(query, "per", "")
    has_column = not column or _names_column(column, question, vocabulary)
    return has_column and all(_is_named(constant, question, vocabulary) for constant in constants)


def _names_column(column: str, question: str, vocabulary: Vocabulary) -> bool:
    """Return whether one or several words of a question in sequence name a column."""
    words = re.findall(r"\w+", question)
    size = len(column.split("_"))
    phrases = [*words, *(" ".join(words[start : start + size]) for start in range(len(words)))]
    return any(vocabulary.column(phrase) == column for phrase in phrases)


def _constants(condition: str) -> Iterator[Any]:
    """Yield the values in a condition."""
    try:
        tree = ast.parse(condition.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise UsageError(f"'{condition}': is no condition") from error
    yield from (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))


def _is_named(constant: Any, question: str, vocabulary: Vocabulary) -> bool:
    """Return whether a question names a value: in its spelling, by a synonym or in another unit of time."""
    if isinstance(constant, str):
        if re.search(rf"(?<!\w){re.escape(constant)}(?!\w)", question, re.IGNORECASE):
            return True
        words = re.findall(r"[\w'.-]+", question)
        return any(constant in vocabulary.values(word).values() for word in words)
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", question)]
    return any(abs(number * factor - constant) < 1e-9 for number in numbers for factor in FACTORS)
