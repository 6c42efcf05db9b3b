"""Vocabulary: the columns and values of an index, as an English question spells them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from bench.answering import counting
from bench.retrieval.snapshot import Snapshot

NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
"""English number words, at the place of their number."""

NOUNS = ("recording", "clip", "file", "sample", "utterance", "sound", "segment", "item")
"""English words for what an index holds."""

SYNONYMS = {
    "man": ("male", "M"),
    "men": ("male", "M"),
    "male": ("M",),
    "woman": ("female", "F"),
    "women": ("female", "F"),
    "female": ("F",),
}
"""English word -> other spellings of the same value in label columns."""


def singulars(word: str) -> Iterator[str]:
    """Yield a word, and what it may be the English plural of.

    Examples
    --------
    >>> list(singulars("sevens")), list(singulars("categories"))
    (['sevens', 'seven'], ['categories', 'categorie', 'categori', 'category'])
    """
    yield word
    for ending, singular in (("s", ""), ("es", ""), ("ies", "y")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            yield word.removesuffix(ending) + singular


def number(word: str) -> int | None:
    """Return the number that digits or an English word stand for; None for another word.

    Examples
    --------
    >>> number("12"), number("seven"), number("many")
    (12, 7, None)
    """
    if word.isdecimal():
        return int(word)
    return NUMBERS.index(word.lower()) if word.lower() in NUMBERS else None


@dataclass(frozen=True)
class Vocabulary:
    """The words that name columns and values of an index.

    Parameters
    ----------
    snapshot : Snapshot
        The state of the index that a question is about.
    """

    snapshot: Snapshot

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Return the spelling of a column in lower case -> the column; those that a filter can name."""
        names = [
            name
            for name in counting.columns(self.snapshot)
            if name.isidentifier() and name.lower() not in NOUNS
        ]
        spaced = {name.lower().replace("_", " "): name for name in names}
        return spaced | {name.lower(): name for name in names}

    @cached_property
    def _others(self) -> Mapping[str, frozenset[str]]:
        """Return the values of columns that are no labels."""
        statements = {
            "dataset": "SELECT DISTINCT dataset FROM files",
            "domain": "SELECT DISTINCT domain FROM domains",
        }
        return {
            name: frozenset(value for (value,) in self.snapshot.connection.execute(statement))
            for name, statement in statements.items()
        }

    def column(self, words: str) -> str:
        """Return the column that words name, also in the plural; '' for none."""
        return next((self.columns[form] for form in singulars(words.lower()) if form in self.columns), "")

    def values(self, words: str) -> Mapping[str, str]:
        """Return the columns that hold a value which the words spell, each with the value.

        A value is spelled by itself in any case, by its plural, a number word or a synonym; the spelling that
        is nearest to the words counts.
        """
        spellings = list(dict.fromkeys(_spellings(words)))
        labels = {
            name: frozenset(value for (value,) in self._labels(name, spellings))
            for name in self.snapshot.columns
        }
        matches = {**labels, **self._others}
        return {
            name: next(spelling for spelling in spellings if spelling in values)
            for name, values in matches.items()
            if not values.isdisjoint(spellings)
        }

    def examples(self, column: str, n: int) -> list[str]:
        """Return the first values of a label, of the data set or the domain; none of other columns."""
        if column in self._others:
            return sorted(self._others[column])[:n]
        sql = "SELECT DISTINCT value FROM labels WHERE name = ? ORDER BY value LIMIT ?"
        return [value for (value,) in self.snapshot.connection.execute(sql, [column, n])]

    def _labels(self, name: str, spellings: list[str]) -> Iterator[tuple[str]]:
        """Yield the values of a label column among spellings."""
        sql = "SELECT DISTINCT value FROM labels WHERE name = ? AND value IN (SELECT value FROM json_each(?))"
        yield from self.snapshot.connection.execute(sql, [name, json.dumps(spellings)])


def _spellings(words: str) -> Iterator[str]:
    """Yield what a label may be written as, the likeliest first."""
    for form in singulars(words):
        yield from (form, form.lower(), form.upper(), form.capitalize())
        if (value := number(form)) is not None:
            yield str(value)
        yield from SYNONYMS.get(form.lower(), ())
