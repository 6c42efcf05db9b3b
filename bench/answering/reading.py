"""Reading: an English question -> a typed query, by rules.

A question is read only if every word of it has a meaning here: one that is left over may ask for something
else, and no count is better than a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.answering.conditions import COLUMN, FILLERS, MARK, Clause, clause
from bench.answering.queries import MOST, Count, Duration, Extremes, Listing, Query, Share, Values
from bench.answering.vocabulary import NOUNS, NUMBERS, Vocabulary, number

SHARE = re.compile(
    r"(?:what|which)? ?(?:is |are )?(?:the )?(?:share|percentage|percent|proportion|fraction) of "
    r"(?P<whole>.+?)"
    r"(?: (?:is|are|has|have|comes?|contains?|lasts?|was|were|that|who|which)(?: are| is)? (?P<part>.+))?",
    re.IGNORECASE,
)

_NOUN = rf"(?:audio )?(?:{'|'.join(NOUNS)})s?"
_NUMBER = rf"(?P<n>\d+|{'|'.join(NUMBERS)})"
_COLUMN = rf"{COLUMN}(?P<column>\S+)"
_PER = rf"(?: per {COLUMN}(?P<per>\S+))?"


PHRASES = (
    (r"how (?:many|much) (?:seconds|minutes|hours)(?: of)?", "total duration"),
    (r"how much(?: audio| time)?", "total duration"),
    (r"how many|(?:the )?(?:total )?number of|count(?: of)?", "howmany"),
    (r"how long|(?:running )?times?(?= per\b)|lengths?|durations?", "duration"),
    (r"on average|average|mean|typical(?:ly)?", "mean"),
    (r"in total|altogether|all together|overall|combined|total", "total"),
    (r"most (?:common|frequent)(?:ly)?|most often|commonest", "most"),
    (r"least (?:common|frequent)(?:ly)?|least often|rarest", "fewest"),
    (r"for (?:each|every)|(?:by|of|in|from) (?:each|every)|grouped by|each|every", "per"),
    (r"different|distinct|unique", "different"),
    (
        rf"(?:which|what|who)(?: is| are)?(?: the)?(?= (?:{MARK} )*(?:different )?(?:{_NOUN}|{COLUMN}))",
        "list",
    ),
    (r"list|find|show|give|name|^(?:is|are) there(?: an?| any)?", "list"),
)
"""Regular expression of English words -> the word that stands for them."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the rules make of a question.

    Parameters
    ----------
    query : Query | None
        None for a question that is not read.
    unread : tuple[str, ...]
        Words without a meaning here, of a question that asks for a number or a list.
    """

    query: Query | None = None
    unread: tuple[str, ...] = ()


def _count(match: re.Match[str], where: str) -> Query:
    column = match["per"] or match["only"]
    return Values(column, where=where) if column else Count(where)


def _values(match: re.Match[str], where: str) -> Query:
    return Values(match["column"], where=where)


def _frequent(match: re.Match[str], where: str) -> Query:
    is_most = match["order"] == "most"
    return Values(
        match["column"], "most" if is_most else "fewest", _limit(match.groupdict().get("n"), 1), where
    )


def _extremes(match: re.Match[str], where: str) -> Query:
    order: Literal["longest", "shortest"] = "longest" if match["order"] == "longest" else "shortest"
    if match["per"]:
        return Duration(order, match["per"], where)
    n = match["n"] or match["after"]
    return Extremes(order, _limit(n, 10 if match["plural"] else 1), where)


def _duration(match: re.Match[str], where: str) -> Query:
    return Duration("mean" if "mean" in match[0] else "total", match["per"] or "", where)


def _listing(match: re.Match[str], where: str) -> Query:
    return Listing(where)


FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str], Query]], ...] = (
    (re.compile(rf"howmany(?: {_NOUN})?(?: total)?{_PER}|{_NOUN} per {COLUMN}(?P<only>\S+)"), _count),
    (re.compile(rf"(?:howmany(?: list)?|list|all)(?: all)?(?: different)? {_COLUMN}"), _values),
    (re.compile(rf"(?:{_NUMBER} )?(?P<order>most|fewest) {_COLUMN}"), _frequent),
    (
        re.compile(rf"(?:list )?{_COLUMN} (?:occurs? |appears? )?(?P<order>most|fewest|least)(?: {_NOUN})?"),
        _frequent,
    ),
    (
        re.compile(
            rf"(?:list |duration )?(?:{_NUMBER} )?(?P<order>longest|shortest)(?: (?P<after>\d+))?"
            rf"(?: (?:audio )?(?:{'|'.join(NOUNS)})(?P<plural>s)?)?{_PER}"
        ),
        _extremes,
    ),
    (
        re.compile(
            rf"(?:(?:total|mean) duration(?: all)?(?: {_NOUN})?|duration(?: all)?(?: {_NOUN})? (?:total|mean)"
            rf"|(?:total|mean) {_NOUN} duration){_PER}"
        ),
        _duration,
    ),
    (re.compile(rf"list (?:all )?{_NOUN}"), _listing),
)
"""Form of a question without its conditions and fillers -> the query that it asks for."""

KEYWORDS = frozenset(
    {
        *("howmany", "duration", "mean", "total", "most", "fewest", "least", "per", "different", "list"),
        *("longest", "shortest", "all"),
    }
)


def read(question: str, vocabulary: Vocabulary) -> Reading:
    """Return the typed query of an English question, such as "How many clips by speaker 84 are there?"."""
    text = " ".join(question.split()).rstrip("?!. ")
    if match := SHARE.fullmatch(text):
        return _share(match, vocabulary)
    part = clause(text, vocabulary)
    core = _core(part)
    for form, query in FORMS:
        if match := form.fullmatch(core):
            return Reading(query(match, part.where))
    return Reading(unread=_unread(core))


def _share(match: re.Match[str], vocabulary: Vocabulary) -> Reading:
    """Return the query of a question for a share."""
    whole = clause(match["whole"], vocabulary)
    part = clause(match["part"] or "", vocabulary)
    rest = [word for word in f"{_core(whole)} {_core(part)}".split() if word != "all"]
    unread = tuple(word for word in rest if not re.fullmatch(_NOUN, word))
    if unread:
        return Reading(unread=unread)
    if part.where:
        return Reading(Share(part.where, whole.where))
    return Reading(Share(whole.where) if whole.where else None)


def _core(part: Clause) -> str:
    """Return the rest of a question in its standard words, without fillers and marks."""
    text = " ".join(part.rest)
    for pattern, word in PHRASES:
        text = re.sub(rf"(?<!\S)(?:{pattern})(?!\S)", word, text)
    text = re.sub(rf"\bby (?={COLUMN})", "per ", text)
    # In "how many female speakers" the column is what is counted, in "clips of female speakers" it is not.
    asked = rf"((?:howmany|list|which|what|different|most|fewest|per)(?: the)?)((?: {MARK})+) ({COLUMN}\S+)"
    text = re.sub(asked, r"\1 \3\2", text)
    text = re.sub(rf"{MARK} {COLUMN}\S+", MARK, text)
    return " ".join(word for word in text.split() if word not in FILLERS and word != MARK)


def _unread(core: str) -> tuple[str, ...]:
    """Return the words without a meaning, of a question that asks for a number or a list."""
    words = core.split()
    if KEYWORDS.isdisjoint(words):
        return ()
    return tuple(
        word
        for word in words
        if word not in KEYWORDS and not re.fullmatch(_NOUN, word) and not word.startswith(COLUMN)
    )


def _limit(text: str | None, default: int) -> int:
    """Return the number of rows that a question asks for."""
    value = number(text) if text else None
    return max(1, min(value or default, MOST))
