"""Answers: JSON values that a model writes, checked strictly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from bench.errors import LanguageModelError
from bench.files import parse_json
from bench.types.retrieval import Message

FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)
"""A block of Markdown, in which many models write JSON."""

MOST_SHOWN = 60
"""Longest part of an answer in a message, in characters."""


def parse(text: str, schema: Mapping[str, Any], messages: Sequence[Message], name: str) -> Any:
    """Return the JSON value that a model wrote.

    Parameters
    ----------
    schema : Mapping[str, Any]
        JSON Schema of the value.
    messages : Sequence[Message]
        What the model answers; its answer is in their letters.
    name : str
        Name of the model, for the message.

    Raises
    ------
    LanguageModelError
        If the text is no JSON, the value is not of the schema, or has letters of another script.
    """
    match = FENCE.fullmatch(text)
    try:
        value = parse_json(match[1] if match else text)
    except ValueError as error:
        raise LanguageModelError(
            f"{name}: writes '{excerpt(text)}', which is no JSON; choose another --llm"
        ) from error
    check(value, schema, name)
    scripts = _scripts(_texts(value)) - _scripts(message.text for message in messages)
    if scripts:
        raise LanguageModelError(
            f"{name}: answers in {', '.join(sorted(scripts))} letters, which the question does not have; "
            "choose another --llm"
        )
    return value


def check(value: Any, schema: Mapping[str, Any], name: str) -> None:
    """Compare a value with a JSON Schema.

    Raises
    ------
    LanguageModelError
        If it is not of the schema.
    """
    error = best_match(Draft202012Validator(schema).iter_errors(value))
    if error is not None:
        where = f" at {error.json_path}" if error.path else ""
        raise LanguageModelError(
            f"{name}: its answer does not fit what was asked{where}: {excerpt(error.message)}; "
            "choose another --llm"
        )


def excerpt(text: str) -> str:
    r"""Return the beginning of a text in one line.

    Examples
    --------
    >>> excerpt("a\n\x1b[31mb")
    'a [31mb'
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * MOST_SHOWN])
    line = " ".join(printable.split())
    return line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]}..."


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _scripts(texts: Iterator[str]) -> set[str]:
    """Return the scripts of the letters in texts, such as LATIN, as Unicode names them."""
    letters = {letter for text in texts for letter in text if letter.isalpha()}
    return {unicodedata.name(letter, "unnamed").split()[0] for letter in letters} - {"MODIFIER", "unnamed"}
