from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import pytest

from bench.errors import UsageError
from bench.validation import convert


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Line:
    key: str
    scores: Mapping[str, tuple[float, ...]]
    colour: Colour = Colour.RED
    low: float | None = None


@pytest.mark.parametrize(
    ("value", "noun", "message"),
    [
        (3, str, "got 3; expected a text"),
        ("x", list[str] | int, "got 'x'; expected a list of texts or an integer"),
        ([["x"]], list[str] | int, r"\[0\] is \['x'\]; expected a text"),
        ({"a": 1, "b": "x"}, dict[str, int], "b is 'x'; expected an integer"),
        ({"a": {"b": ["x", 3]}}, dict[str, dict[str, list[str]]], r"a\.b\[1\] is 3; expected a text"),
        ("x", dict[str, list[Any]], "got 'x'; expected a table of lists"),
        ("x", Literal["a", "b"], "got 'x'; expected one of a, b"),
        ({"key": "k"}, Line, "field 'scores' is missing; expected a table of lists"),
        ({"key": 3}, Line, "key is 3; expected a text"),
        ({"key": "k", "scores": {"m": [1.0, "x"]}}, Line, r"scores\.m\[1\] is 'x'; expected a number"),
        ({"key": "k", "scores": {}, "colour": "x"}, Line, "colour is 'x'; expected one of red, blue"),
        ({"key": "k", "scores": {}, "low": "x"}, Line, "low is 'x'; expected a number or null"),
        ([{"key": 1}], list[Line], r"\[0\]\.key is 1; expected a text"),
        ({3: "x"}, dict[str, str], r"got \{3: 'x'\}; expected a table of texts"),
    ],
)
def test_a_value_of_another_type_names_source_path_value_and_expectation(value: Any, noun: Any, message: str):
    with pytest.raises(UsageError, match=rf"^f\.toml: {message}$"):
        convert(value, noun, "f.toml")
    with pytest.raises(UsageError, match=rf"^f\.toml: 'mine': {message}$"):
        convert(value, noun, "f.toml", "mine")


def test_a_long_value_is_shortened():
    with pytest.raises(UsageError, match=r"expected an integer") as caught:
        convert("x" * 1000, int, "f.toml")
    assert len(str(caught.value)) < 100


def test_a_right_value_is_converted_and_left_alone():
    fields = {"key": "k", "scores": {"m": [1]}}
    assert convert(fields, Line, "f.toml") == Line("k", {"m": (1.0,)})
    assert fields == {"key": "k", "scores": {"m": [1]}}


def test_a_wrong_value_in_a_table_is_left_alone():
    value = {"a": 1, "b": "x"}
    with pytest.raises(UsageError, match="b is 'x'"):
        convert(value, dict[str, int], "f.toml")
    assert value == {"a": 1, "b": "x"}
