"""Terms: the words of a text that say something of a recording."""

from __future__ import annotations

import re

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from bench.retrieval.records import Caption

AUDIBLE = {
    *(
        "alone",
        "amount",
        "bill",
        "bottom",
        "call",
        "cry",
        "describe",
        "detail",
        "empty",
        "fill",
        "fire",
        "front",
    ),
    *(
        "full",
        "interest",
        "mill",
        "mine",
        "move",
        "part",
        "system",
        "thick",
        "thin",
        "top",
        "one",
        "two",
        "three",
    ),
    *(
        "four",
        "five",
        "six",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "fifteen",
        "twenty",
        "forty",
        "fifty",
    ),
    *("sixty", "hundred", "third"),
}
"""Words that scikit-learn leaves out, and that say something of a recording."""

STOP_WORDS = ENGLISH_STOP_WORDS - AUDIBLE

WORD = re.compile(r"\b[^\W\d_][\w'-]+\b")
"""A word: a letter and more."""

MOST_WORDS = 3
"""Largest number of words of a tag."""


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without those that every text has.

    Examples
    --------
    >>> words("There is a dog, which barks.")
    ['dog', 'barks']
    """
    return [word for word in WORD.findall(text.lower()) if word not in STOP_WORDS]


def terms(caption: Caption) -> set[str]:
    """Return the words of a caption or transcript; the entries of tags and acoustics.

    Examples
    --------
    >>> sorted(terms(Caption(1, "acoustics", "loud, steady level", "acoustics-1", 0, 1)))
    ['loud', 'steady level']
    """
    if caption.kind not in {"tags", "acoustics"}:
        return set(words(caption.text))
    entries = (" ".join(entry.lower().split()) for entry in caption.text.split(","))
    return {entry for entry in entries if entry and len(entry.split()) <= MOST_WORDS}
