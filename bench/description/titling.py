"""Titling: the words that the recordings of a cluster share -> its title.

A language model sees no text, only words that several recordings of a cluster share: what one text says to
the model does not reach it. Its title has to use these words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from bench.description import terms
from bench.description.distinctive import Words
from bench.language import data, read_prompt
from bench.types.retrieval import LanguageModel, Message

WITHOUT_MODEL = "c-TF-IDF"
"""Model of a title that is the most distinctive words."""

MOST_WORDS = 3
"""Largest number of words of such a title."""

LEAST_WEIGHT = 0.5
"""Smallest weight of a word of such a title, as a share of the largest."""

LEAST_PREFIX = 4
"""Letters that words of one stem share, if the shorter word has them."""

LEAST_SUPPORT = 0.5
"""Smallest share of a title's words that are words of the cluster."""

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"title": {"type": "string", "pattern": r"^[^\x00-\x1f\"\\<>{}\[\]]{3,60}$"}},
    "required": ["title"],
    "additionalProperties": False,
}
"""JSON Schema of the answer."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A title before it is tested.

    Parameters
    ----------
    title : str
        Empty if the recordings share no word.
    model : str
        What wrote it.
    refused : str
        Title of the language model that does not fit the words; empty for none.
    """

    title: str
    model: str
    refused: str = ""


def messages(words: Words) -> Sequence[Message]:
    """Return what a language model is asked about a cluster.

    The words stand in the order of the alphabet, so that a single text hardly changes the question.
    """
    pairs = list(zip(words.words, words.shares, strict=True))
    return read_prompt("title").messages(
        most=data(sorted(word for word, share in pairs if share > 0.5)),
        some=data(sorted(word for word, share in pairs if share <= 0.5)),
    )


def draft(words: Words, model: LanguageModel | None) -> Draft:
    """Return the title of a cluster with some words; by its most distinctive words without a model.

    Raises
    ------
    LanguageModelError
        If the model does not answer.
    """
    plain = Draft(_plain(words), WITHOUT_MODEL)
    if model is None or not words.words:
        return plain
    title = " ".join(model.complete(messages(words), SCHEMA)["title"].split())
    if is_supported(title, words.words):
        return Draft(title, model.name)
    return Draft(plain.title, WITHOUT_MODEL, refused=title)


def is_supported(title: str, words: Sequence[str]) -> bool:
    """Return whether half of the words of a title are words of a cluster, or of their stems.

    Examples
    --------
    >>> is_supported("A barking dog", ["barks", "dogs"]), is_supported("Free money", ["barks", "dogs"])
    (True, False)
    """
    own = terms.words(title)
    of_cluster = [word for term in words for word in term.split()]
    n_supported = sum(any(_same_stem(word, other) for other in of_cluster) for word in own)
    return bool(own) and n_supported >= LEAST_SUPPORT * len(own)


def _plain(words: Words) -> str:
    """Return the most distinctive words."""
    pairs = zip(words.words[:MOST_WORDS], words.weights, strict=False)
    return ", ".join(
        word for word, _ in takewhile(lambda pair: pair[1] >= LEAST_WEIGHT * words.weights[0], pairs)
    )


def _same_stem(word: str, other: str) -> bool:
    n = min(LEAST_PREFIX, len(word), len(other))
    return word[:n] == other[:n]
