"""Rules for language models."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator

from bench.errors import LanguageModelError
from bench.testing.checks import Check, Rule, Subject, build_checks
from bench.types.retrieval import LanguageModel, Message

QUESTION = (
    Message("system", 'You name groups of recordings. Answer with JSON, such as {"title": "Barking dog"}.'),
    Message("user", 'Words of the recordings: ["rain", "roof"]'),
)

TITLE: Mapping[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string", "pattern": "^[A-Za-z ]{1,30}$"}},
    "required": ["title"],
    "additionalProperties": False,
}

SCHEMAS: Sequence[Mapping[str, Any]] = (
    TITLE,
    {
        "type": "object",
        "properties": {
            "kind": {"enum": ["count", "list"]},
            "ids": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "maxItems": 3},
        },
        "required": ["kind", "ids"],
        "additionalProperties": False,
    },
    {"anyOf": [{"type": "boolean"}, {"type": "object", "properties": {}, "additionalProperties": False}]},
)
"""JSON Schemas of what `bench describe` and `bench ask` ask for."""

IMPOSSIBLE: Mapping[str, Any] = {"type": "integer", "minimum": 2, "maximum": 1}
"""JSON Schema of no value."""


def has_a_name(subject: Subject[LanguageModel]) -> None:
    """The name, which stands beside what the model writes, is a text in one line."""
    name = subject.plugin.name
    assert isinstance(name, str), type(name).__name__
    assert name.strip(), "it is empty"
    assert name.isprintable(), repr(name)


def answers_by_the_schema(subject: Subject[LanguageModel]) -> None:
    """An answer is a JSON value of the JSON Schema."""
    for schema in SCHEMAS:
        answer = subject.plugin.complete(QUESTION, schema)
        problems = [error.message for error in Draft202012Validator(schema).iter_errors(answer)]
        assert not problems, problems[0]


def answers_the_same_twice(subject: Subject[LanguageModel]) -> None:
    """The same question has the same answer, also by a second instance."""
    answers = [model.complete(QUESTION, TITLE) for model in (subject.plugin, subject.factory())]
    assert answers[0] == answers[1], f"{answers[0]}, then {answers[1]}"


def leaves_the_question_as_it_is(subject: Subject[LanguageModel]) -> None:
    """Messages and schema are only read."""
    messages, schema = list(QUESTION), copy.deepcopy(dict(TITLE))
    subject.plugin.complete(messages, schema)
    assert messages == list(QUESTION), "the messages differ"
    assert schema == TITLE, "the schema differs"


def says_that_it_cannot_answer(subject: Subject[LanguageModel]) -> None:
    """A question that no value answers is a LanguageModelError."""
    try:
        answer = subject.plugin.complete(QUESTION, IMPOSSIBLE)
    except LanguageModelError:
        return
    raise AssertionError(f"it answers {answer!r}")


RULES: Sequence[Rule] = (
    has_a_name,
    answers_by_the_schema,
    answers_the_same_twice,
    leaves_the_question_as_it_is,
    says_that_it_cannot_answer,
)


def check_language_model(
    factory: Callable[[], LanguageModel], expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Return the checks of a language model; `expected_failures` as in `check_extractor`."""
    return build_checks(RULES, Subject(factory), expected_failures)
