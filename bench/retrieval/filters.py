"""Filters: texts such as ``speaker != '84' and seconds > 2`` -> conditions, without running any of them.

Of Python's grammar it takes names of columns, values, comparisons, ``in``, ``and``, ``or`` and ``not`` alone.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
import reprlib
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from bench.errors import UsageError
from bench.paths import path_text
from bench.retrieval import conditions
from bench.retrieval.conditions import (
    Column,
    Combination,
    Comparison,
    Condition,
    Containment,
    Membership,
    Negation,
    Operator,
    Presence,
    Test,
    Value,
)

MOST_CHARACTERS = 10_000
MOST_COMPARISONS = 200
MOST_DEPTH = 50

LABEL = "label"
"""Name in ``label['my column']``, for names that are none in Python, or are those of other columns."""

OPERATORS: Mapping[type[ast.cmpop], tuple[Operator, Operator]] = {
    ast.Eq: ("=", "="),
    ast.NotEq: ("=", "="),
    ast.Lt: ("<", ">"),
    ast.LtE: ("<=", ">="),
    ast.Gt: (">", "<"),
    ast.GtE: (">=", "<="),
}
"""Operator of Python -> that of a condition, and that of one with the sides exchanged."""

NEGATIVE = (ast.NotEq, ast.NotIn, ast.IsNot)

QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")

HINTS: Mapping[str, str] = {
    r";|--|/\*|(?i:\b(select|insert|update|delete|drop|union|attach|pragma)\b)": "a filter is no SQL",
    r"<>": "write != for 'differs from'",
    r"(?<![=!<>])=(?!=)": "write == for 'equals'",
    r"&|\|": "write and, or",
    r"(?i:\b(like|glob|match|regexp)\b)": "write 'word' in caption",
    r"(?i:\bnull\b)": "write == None for 'has no value'",
    r"\b(AND|OR|NOT|IN)\b": "write and, or, not, in without capitals",
    rf"\b({'|'.join(sorted({*keyword.kwlist} - {'and', 'or', 'not', 'in', 'is', 'None'}))})\b": (
        "write label['class'] for a column whose name is a word of Python's"
    ),
}
"""What people write in other languages -> what to write here."""

EXAMPLE = "expected such as: speaker != '84' and (seconds > 2 or 'dog' in caption)"

SHORT = reprlib.Repr()
SHORT.maxstring = 100


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition that files are chosen by.

    Parameters
    ----------
    text : str
        As the user wrote it.
    """

    text: str
    condition: Condition

    def sql(self, columns: Collection[str]) -> tuple[str, list[Value]]:
        """Return the condition on the table `files`, and its parameters; see `conditions.sql`."""
        return conditions.sql(self.condition, columns)


def parse(text: str) -> Filter:
    """Return the filter of a text.

    Raises
    ------
    UsageError
        If it is no filter: what is wrong, and what to write in its place.

    Examples
    --------
    >>> parse("seconds > 2").condition
    Comparison(column=Column(name='seconds', is_label=False), operator='>', value=2)
    >>> parse("speaker = '84'")
    Traceback (most recent call last):
    bench.errors.UsageError: --where "speaker = '84'": cannot be read; write == for 'equals'
    """
    reader = _Reader(text)
    if len(text) > MOST_CHARACTERS:
        raise reader.error(f"has {len(text)} characters; expected at most {MOST_CHARACTERS}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's advice on texts such as '\d'
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise reader.error("cannot be read") from error
    return Filter(text, reader.condition(tree.body))


class _Reader:
    """Reads the tree of a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._n_comparisons = 0

    def condition(self, node: ast.expr, depth: int = 0) -> Condition:
        """Return the condition of a node."""
        if depth > MOST_DEPTH:
            raise self.error(f"is nested too deeply; expected at most {MOST_DEPTH} levels")
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(value, depth + 1) for value in node.values]
            return Combination("and" if isinstance(node.op, ast.And) else "or", parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return Negation(self.condition(node.operand, depth + 1))
        if not isinstance(node, ast.Compare):
            raise self.error(f"{self._source(node)} is no comparison")
        self._n_comparisons += len(node.ops)
        if self._n_comparisons > MOST_COMPARISONS:
            raise self.error(f"has more than {MOST_COMPARISONS} comparisons")
        sides = [node.left, *node.comparators]
        tests = [self._comparison(*part) for part in zip(sides, node.ops, sides[1:], strict=False)]
        return tests[0] if len(tests) == 1 else Combination("and", tests)

    def error(self, problem: str) -> UsageError:
        """Return the error of a problem, with what to write."""
        unquoted = QUOTED.sub("''", self.text)
        hint = next((hint for pattern, hint in HINTS.items() if re.search(pattern, unquoted)), EXAMPLE)
        return UsageError(f"--where {SHORT.repr(self.text)}: {problem}; {hint}")

    def _comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Condition:
        """Return the condition of two sides."""
        is_in = isinstance(operator, (ast.In, ast.NotIn))
        test = self._membership(left, right) if is_in else self._order(left, operator, right)
        return Negation(test) if isinstance(operator, NEGATIVE) else test

    def _membership(self, left: ast.expr, right: ast.expr) -> Test:
        """Return whether a column is one of several values, or holds a word."""
        if isinstance(right, (ast.List, ast.Tuple, ast.Set)):
            return Membership(self._column(left), [self._value(element) for element in right.elts])
        word = self._value(left)
        if not isinstance(word, str):
            raise self.error(f"looks for {word} in a text; expected a word in quotes")
        return Containment(self._column(right), word)

    def _order(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> Condition:
        """Return the comparison of a column with a value, on either side."""
        is_column = [_is_column(side) for side in (left, right)]
        if all(is_column):
            raise self.error(f"compares two columns; put a value in quotes, as '{self._source(right)}'")
        if not any(is_column):
            raise self.error(f"compares no column in {self._source(left)} and {self._source(right)}")
        column, value = (left, right) if is_column[0] else (right, left)
        if isinstance(value, ast.Constant) and value.value is None:
            if not isinstance(operator, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)):
                raise self.error("orders by None; write == None")
            return Negation(Presence(self._column(column)))
        if isinstance(operator, (ast.Is, ast.IsNot)):
            raise self.error("has 'is' before a value; write ==")
        same, exchanged = OPERATORS[type(operator)]
        return Comparison(self._column(column), same if is_column[0] else exchanged, self._value(value))

    def _column(self, node: ast.expr) -> Column:
        """Return the column of a node."""
        if isinstance(node, ast.Name):
            return Column(node.id)
        if isinstance(node, ast.Subscript) and _is_column(node):
            name = self._value(node.slice)
            if isinstance(name, str):
                return Column(name, is_label=True)
        raise self.error(f"{self._source(node)} is no column")

    def _value(self, node: ast.expr) -> Value:
        """Return the value of a node, a text or a number."""
        is_negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        constant = node.operand if isinstance(node, ast.UnaryOp) and is_negative else node
        value = constant.value if isinstance(constant, ast.Constant) else None
        if isinstance(value, str) and not is_negative:
            return self._text(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._number(-value if is_negative else value)
        raise self.error(f"{self._source(node)} is no value; expected a text in quotes or a number")

    def _text(self, value: str) -> str:
        """Return a text that the database takes."""
        text = path_text(value)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise self.error(f"{value!r} holds half a character") from error
        return text

    def _number(self, value: float) -> float:
        """Return a number that the database takes."""
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isinf(number):
            raise self.error("holds a number that is too large")
        return value if isinstance(value, float) or abs(value) < 2**63 else number

    def _source(self, node: ast.expr) -> str:
        """Return what the user wrote for a node, shortened."""
        return reprlib.repr(ast.get_source_segment(self.text.strip(), node) or self.text).strip("'\"")


def _is_column(node: ast.expr) -> bool:
    """Return whether a node is a name, or ``label['name']``."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id == LABEL
    return isinstance(node, ast.Name)
