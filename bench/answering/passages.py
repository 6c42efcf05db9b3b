"""Passages: texts about recordings that may answer a question, each judged by itself.

A language model sees one passage at a time, and may only say that it answers the question and copy the words
that do. Whatever a passage says therefore changes neither a count nor what is said of another one (isolate,
then aggregate: Xiang et al. 2024, "Certifiably Robust RAG against Retrieval Corruption", arXiv:2405.15556).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bench.language import data, read_prompt
from bench.language.instructions import addresses_model
from bench.retrieval.records import Caption, Hit
from bench.types.retrieval import LanguageModel, Message

Verdict = Literal["unjudged", "answers", "other", "unsupported", "withheld"]
"""What a model said of a passage.

An `unsupported` one answers the question by words that it does not hold. All texts of a `withheld` one speak
to a model, so that none was shown to it.
"""

LONGEST_TEXT = 2_000
"""Largest number of characters of a text that a model sees."""

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"quote": {"type": "string", "maxLength": 300}, "answers": {"type": "boolean"}},
    "required": ["quote", "answers"],
    "additionalProperties": False,
}
"""JSON Schema of what a model says of a passage; the words come before the verdict that rests on them."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk with the texts about its recording.

    Parameters
    ----------
    texts : tuple[Caption, ...]
        What a model may see.
    withheld : tuple[Caption, ...]
        Texts that speak to a model.
    quote : str
        Words that answer the question, as the model copied them.
    """

    hit: Hit
    texts: tuple[Caption, ...]
    withheld: tuple[Caption, ...] = ()
    verdict: Verdict = "unjudged"
    quote: str = ""


def passage(hit: Hit, question: str) -> Passage:
    """Return a hit as a passage, without the texts that speak to a model.

    The texts that share the most words with the question come first.
    """
    words = _words(question)
    captions = sorted(hit.captions, key=lambda caption: -len(words & _words(caption.text)))
    signs = [addresses_model(caption.text) for caption in captions]
    texts, withheld = (
        tuple(caption for caption, sign in zip(captions, signs, strict=True) if sign is is_withheld)
        for is_withheld in (False, True)
    )
    return Passage(hit, texts, withheld, "unjudged" if texts or not withheld else "withheld")


def _words(text: str) -> frozenset[str]:
    """Return the words of a text in lower case."""
    return frozenset(re.findall(r"\w+", text.casefold()))


def messages(question: str, passage: Passage) -> Sequence[Message]:
    """Return what a model is asked about a passage."""
    texts = data([f"{text.kind}: {text.text[:LONGEST_TEXT]}" for text in passage.texts])
    return read_prompt("passage").messages(question=data([question]), texts=texts)


def judged(question: str, passage: Passage, model: LanguageModel) -> Passage:
    """Return a passage with the verdict of a model.

    Raises
    ------
    LanguageModelError
        If the model does not answer.
    """
    if passage.verdict == "withheld":
        return passage
    answer = model.complete(messages(question, passage), SCHEMA)
    if not answer["answers"]:
        return replace(passage, verdict="other")
    is_quoted = any(holds(text.text, answer["quote"]) for text in passage.texts)
    return replace(passage, verdict="answers" if is_quoted else "unsupported", quote=answer["quote"])


def holds(text: str, quote: str) -> bool:
    """Return whether a text holds a quote as whole words, in any case and spacing; an empty one is in none.

    Examples
    --------
    >>> holds("A child is crying.", "child is  Crying"), holds("It rains.", "rain"), holds("It", "")
    (True, False, False)
    """
    words, quoted = (re.findall(r"\w+", each.casefold()) for each in (text, quote))
    size = len(quoted)
    return bool(quoted) and any(words[start : start + size] == quoted for start in range(len(words)))
