"""Conditions: what an English question says of recordings -> a filter, and the rest of the question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.answering.queries import joined
from bench.answering.vocabulary import NOUNS, NUMBERS, Vocabulary

MARK = "¤"
"""Token that stands in the rest of a question where a condition was."""

COLUMN = "§"
"""Character before the name of a column in the rest of a question."""

FILLERS = frozenset(
    {
        *("a", "an", "and", "are", "at", "audio", "be", "been", "but", "by", "can", "collection", "contain"),
        *("contains", "data", "did", "do", "does", "for", "from", "had", "has", "have", "hold", "holds"),
        *("i", "in", "index", "is", "it", "its", "long", "made", "make", "many", "me"),
        *("of", "on", "our", "please", "said", "say", "says", "seconds", "spoken", "tell", "than"),
        *("that", "the", "them", "there", "these", "they", "this", "those", "to", "us", "was", "we"),
        *("were", "what", "which", "who", "whose", "with", "you"),
    }
)
"""Words that change nothing where they stand between the others."""

NOT = frozenset({"not", "except", "without", "excluding", "isn't", "aren't"})
LINKS = frozenset(
    {"is", "are", "was", "were", "equals", "=", "==", ":", "number", "no", "id", "called", "named"}
)
OR = frozenset([",", "or", "and"])
RANKS = frozenset({"longest", "shortest", "most", "least", "fewest", "top"})
"""Words beside which a number is one of recordings."""

LONGEST_NAME = 3
"""Largest number of words of a column or a value."""

TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'(?!\w)|[<>=!]=|[<>=:,]|[^\s,:?!<>=\"]*[^\s,:?!<>=\".;]")

UNITS = {"ms": 0.001, "millisecond": 0.001, "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60}
UNITS |= {"h": 3600, "hour": 3600}
UNIT = r"(?P<unit>ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b"
AMOUNT = r"(?P<amount>\d+(?:\.\d+)?)"
COMPARISONS = {
    ">=": r"at least|(?:no|not) (?:shorter|less) than",
    "<=": r"at most|up to|(?:no|not) (?:longer|more) than",
    ">": r"(?:longer|more|over|above|greater)(?: than)?|exceed(?:s|ing)?",
    "<": r"(?:shorter|less|under|below|fewer)(?: than)?",
    "==": r"exactly",
}
"""Operator of a filter -> the English for it, before an amount of time; a negation comes first."""

LENGTHS = {
    operator: re.compile(rf"\b(?:lasts? )?(?:{words}) {AMOUNT} ?{UNIT}(?: long| in length)?", re.IGNORECASE)
    for operator, words in COMPARISONS.items()
}
BARE_LENGTHS = {
    ">": re.compile(rf"\blonger than {AMOUNT}(?![\w.])", re.IGNORECASE),
    "<": re.compile(rf"\bshorter than {AMOUNT}(?![\w.])", re.IGNORECASE),
}
BETWEEN = re.compile(
    rf"\b(?:lasts? )?(?:between|from) (?P<low>\d+(?:\.\d+)?) (?:and|to) {AMOUNT} ?{UNIT}"
    r"(?: long| in length)?",
    re.IGNORECASE,
)
QUOTE = re.compile(
    r"\b(?:mention(?:s|ing)?|contain(?:s|ing)?|say(?:s|ing)?|with|about)(?: the)?(?: words?| phrase)? "
    r"(?:\"(?P<double>[^\"]+)\"|'(?P<single>[^']+)'(?!\w))",
    re.IGNORECASE,
)
TEXTS = ("transcript", "caption", "tags")
"""Texts that may hold a quote."""


@dataclass(frozen=True, slots=True)
class Clause:
    """What a part of a question says.

    Parameters
    ----------
    where : str
        A condition in the language of ``--where``; empty for none.
    rest : tuple[str, ...]
        The other words in lower case; `MARK` for a condition, `COLUMN` and its name for a column.
    """

    where: str
    rest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Match:
    """A condition on a column by the tokens up to `end`, which it does not include."""

    column: str
    where: str
    end: int


def clause(text: str, vocabulary: Vocabulary) -> Clause:
    """Return the condition that a part of a question states, and the rest of its words."""
    text, lengths = _amounts(text)
    text, words = _mentions(text)
    tokens = TOKEN.findall(re.sub(r"(?<=\w)['\u2019]s\b", "", text))
    wheres, rest = [*lengths, *words], []
    columns: set[str] = set()
    start = 0
    while start < len(tokens):
        match = _condition(tokens, start, vocabulary)
        # "Female speakers and male speakers" are no recordings that are both: the second is left over.
        if match and match.column not in columns:
            columns.add(match.column)
            wheres.append(match.where)
            rest.append(MARK)
            start = match.end
        elif column := _column(tokens, start, vocabulary):
            rest.append(COLUMN + column[0])
            start = column[1]
        else:
            rest.append(tokens[start].lower())
            start += 1
    return Clause(joined(*wheres), tuple(rest))


def _amounts(text: str) -> tuple[str, list[str]]:
    """Return a text with marks in place of its conditions on lengths, and the conditions."""
    wheres: list[str] = []

    def between(match: re.Match[str]) -> str:
        wheres.extend(
            (_length(">=", match["low"], match["unit"]), _length("<=", match["amount"], match["unit"]))
        )
        return f" {MARK} "

    text = BETWEEN.sub(between, text)
    for operator, pattern in [*LENGTHS.items(), *BARE_LENGTHS.items()]:
        for match in pattern.finditer(text):
            wheres.append(_length(operator, match["amount"], match.groupdict().get("unit", "s")))
        text = pattern.sub(f" {MARK} ", text)
    return text, wheres


def _length(operator: str, amount: str, unit: str) -> str:
    """Return a condition on the length, in s."""
    short = unit.lower()
    factor = UNITS[short] if short in UNITS else UNITS[short.removesuffix("s")]
    return f"seconds {operator} {float(amount) * factor:g}"


def _mentions(text: str) -> tuple[str, list[str]]:
    """Return a text with marks in place of the quotes that texts hold, and the conditions."""
    wheres = []
    for match in QUOTE.finditer(text):
        word = match["double"] or match["single"]
        wheres.append(" or ".join(f"{word!r} in {name}" for name in TEXTS))
    return QUOTE.sub(f" {MARK} ", text), wheres


def _condition(tokens: Sequence[str], start: int, vocabulary: Vocabulary) -> _Match | None:
    """Return the condition that begins at a token."""
    is_not, begin = False, start
    if tokens[start].lower() in NOT:
        is_not, begin = True, _skip(tokens, start + 1, FILLERS)
    if column := _column(tokens, begin, vocabulary):
        name, end = column
        end = _skip(tokens, end, LINKS)
        if end < len(tokens) and tokens[end].lower() in NOT:
            is_not, end = not is_not, _skip(tokens, end + 1, FILLERS)
        values, end = _values(tokens, end, name, vocabulary)
    else:
        name, end = _only_column(tokens, begin, vocabulary)
        values, end = _values(tokens, begin, name, vocabulary) if name else ([], end)
    return _Match(name, _comparison(name, values, is_not), end) if values else None


def _comparison(name: str, values: Sequence[str], is_not: bool) -> str:
    """Return the condition that a column has one of some values, or none of them."""
    if len(values) == 1:
        return f"{name} {'!=' if is_not else '=='} {values[0]!r}"
    return f"{name} {'not in' if is_not else 'in'} {list(values)!r}"


def _column(tokens: Sequence[str], start: int, vocabulary: Vocabulary) -> tuple[str, int] | None:
    """Return the column that is named at a token, and the token behind it."""
    for words, end in _phrases(tokens, start):
        if name := vocabulary.column(words):
            return name, end
    return None


def _only_column(tokens: Sequence[str], start: int, vocabulary: Vocabulary) -> tuple[str, int]:
    """Return the one column that holds the value at a token; '' for none or several.

    A number stands for a value only behind its column: elsewhere it is a number of recordings.
    """
    for words, end in _phrases(tokens, start):
        if words.lower() in FILLERS or words.lower().removesuffix("s") in NOUNS or words.isdecimal():
            continue
        columns: Mapping[str, str] = vocabulary.values(words.strip("\"'"))
        following = _column(tokens, end, vocabulary)
        if following and following[0] in columns:
            return following[0], end
        if len(columns) == 1 and not (
            words.lower() in NUMBERS and _is_amount(tokens, start, end, vocabulary)
        ):
            return next(iter(columns)), end
    return "", start


def _is_amount(tokens: Sequence[str], start: int, end: int, vocabulary: Vocabulary) -> bool:
    """Return whether a number word tells how many, as in "three speakers" and "the three longest"."""
    neighbours = {token.lower() for token in tokens[max(start - 1, 0) : end + 1]}
    following = tokens[end].lower().removesuffix("s") if end < len(tokens) else ""
    return bool(neighbours & RANKS) or following in NOUNS or bool(_column(tokens, end, vocabulary))


def _values(tokens: Sequence[str], start: int, name: str, vocabulary: Vocabulary) -> tuple[list[str], int]:
    """Return the values of a column that are listed from a token on, and the token behind them."""
    values: list[str] = []
    end = start
    while value := _value(tokens, start, name, vocabulary):
        values.append(value[0])
        end = value[1]
        start = _skip(tokens, end, OR)
        if start == end:
            break
    return values, end


def _value(tokens: Sequence[str], start: int, name: str, vocabulary: Vocabulary) -> tuple[str, int] | None:
    """Return the value of a column at a token, and the token behind it.

    What has a digit or quotation marks is a value, whether or not the index holds it.
    """
    for words, end in _phrases(tokens, start):
        if words.lower() not in FILLERS and (value := vocabulary.values(words.strip("\"'")).get(name)):
            return value, end
    if start < len(tokens) and re.search(r"\d|^[\"']", tokens[start]):
        return tokens[start].strip("\"'"), start + 1
    return None


def _phrases(tokens: Sequence[str], start: int) -> Iterator[tuple[str, int]]:
    """Yield the words from a token on, the longest phrase first, each with the token behind it."""
    for end in range(min(start + LONGEST_NAME, len(tokens)), start, -1):
        yield " ".join(tokens[start:end]), end


def _skip(tokens: Sequence[str], start: int, words: frozenset[str]) -> int:
    """Return the first place from a token on that holds none of some words."""
    while start < len(tokens) and tokens[start].lower() in words:
        start += 1
    return start
