"""Output: an answer -> text for people and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import shorten
from typing import Any

import msgspec
from tabulate import tabulate

from bench.answering import queries
from bench.answering.asking import Answer
from bench.answering.passages import Passage
from bench.answering.queries import (
    Count,
    Duration,
    Extremes,
    Listing,
    Query,
    Result,
    Share,
    Value,
    Values,
)
from bench.errors import readable
from bench.files import indented_json
from bench.paths import path_of
from bench.retrieval.records import Caption
from bench.types.retrieval import Message

SHOWN_ROWS = 20
"""Largest number of rows of a result that are shown."""

TEXT_WIDTH = 100
"""Largest number of letters of a text that is shown without its source."""


def document(answer: Answer) -> str:
    """Return an answer as JSON."""
    question = answer.question
    return indented_json(
        {
            "question": question.text,
            "where": question.where,
            "supported": answer.is_supported,
            "query": queries.fields(answer.query) if answer.query else None,
            "reader": answer.reader,
            "result": msgspec.to_builtins(answer.result),
            "unread": answer.unread,
            "passages": [_fields(passage) for passage in answer.passages],
            "model": answer.model,
            "failure": answer.failure,
        }
    )


def text(answer: Answer, *, with_sources: bool = False) -> str:
    """Return an answer for people.

    Parameters
    ----------
    with_sources : bool
        Whether every passage is shown with all of its texts, and what wrote them.
    """
    query, result = answer.query, answer.result
    blocks = list(_typed(answer, query, result) if query and result else _textual(answer))
    if with_sources and answer.passages:
        blocks.append("\n".join(["sources:", *map(_source, answer.passages)]))
    shown = readable("\n\n".join(blocks))
    # A text of a file can hold what a terminal obeys.
    return "".join(each if each.isprintable() or each == "\n" else " " for each in shown) + "\n"


def prompts(chats: Sequence[Sequence[Message]]) -> str:
    """Return what a language model would be asked, for people."""
    if not chats:
        return "no language model is asked: SQL answers the question\n"
    texts = (
        "\n".join(f"{message.role}:\n{message.text.strip()}" for message in messages) for messages in chats
    )
    return "\n\n---\n\n".join(texts) + "\n"


def _fields(passage: Passage) -> dict[str, Any]:
    """Return a passage as JSON has it."""
    hit = passage.hit
    return {
        "chunk": hit.id,
        "clip": hit.clip,
        "path": readable(str(path_of(hit.path))),
        "start": hit.start,
        "end": hit.end,
        "score": hit.score,
        "verdict": passage.verdict,
        "quote": passage.quote,
        "texts": [_text_fields(caption) for caption in passage.texts],
        "withheld": [_text_fields(caption) for caption in passage.withheld],
    }


def _text_fields(caption: Caption) -> dict[str, str]:
    return {"kind": caption.kind, "text": caption.text, "model": caption.model}


def _typed(answer: Answer, query: Query, result: Result) -> Iterator[str]:
    """Yield the blocks of an answer by a typed query."""
    yield from _result(query, result)
    terms = ", ".join(f"{name} {value}" for name, value in queries.fields(query).items() if name != "kind")
    by = f" by {answer.model}" if answer.reader == "model" else ""
    yield f"read{by} as: {query.__struct_config__.tag}{': ' if terms else ''}{terms}"


def _result(query: Query, result: Result) -> Iterator[str]:
    """Yield the result of a typed query: a sentence, or a table and what it holds."""
    first = result.rows[0] if result.rows else ()
    match query:
        case Count():
            yield f"{first[0]} recordings"
        case Share():
            yield f"{_shown(first[0], 'share')}: {first[1]} of {first[2]} recordings"
        case Duration(per="", statistic=statistic):
            yield f"{statistic} length: {_shown(first[0], 'seconds')} ({first[1]} recordings)"
        case Values(column=column) | Duration(per=column):
            yield f"{result.n_rows} values of {column}{_part(result)}"
            yield _table(result)
        case Extremes(order=order):
            yield f"the {order} of {result.n_rows} recordings"
            yield _table(result)
        case Listing():
            yield f"{result.n_rows} recordings{_part(result)}"
            yield _table(result)


def _part(result: Result) -> str:
    """Return how many rows are shown where that is not all of them."""
    n_shown = min(len(result.rows), SHOWN_ROWS)
    return "" if n_shown == result.n_rows else f", {n_shown} shown"


def _table(result: Result) -> str:
    """Return the first rows of a result."""
    rows = [
        [_shown(value, name) for value, name in zip(row, result.columns, strict=True)]
        for row in result.rows[:SHOWN_ROWS]
    ]
    return str(tabulate(rows, headers=result.columns, disable_numparse=True))


def _shown(value: Value | None, name: str) -> str:
    """Return a value of a column for people."""
    if value is None:
        return "-"
    if name == "chunk":
        return f"[{value}]"
    if name == "share":
        return f"{float(value):.1%}"
    if name.endswith("seconds"):
        return _length(float(value))
    return str(value)


def _length(seconds: float) -> str:
    """Return a length in s, of a minute or more also in hours, minutes and seconds.

    Examples
    --------
    >>> _length(2.5), _length(75)
    ('2.50 s', '75.00 s (0:01:15)')
    """
    minutes, rest = divmod(round(seconds), 60)
    clock = f" ({minutes // 60}:{minutes % 60:02d}:{rest:02d})" if seconds >= 60 else ""
    return f"{seconds:.2f} s{clock}"


def _textual(answer: Answer) -> Iterator[str]:
    """Yield the blocks of an answer by passages."""
    if answer.unread:
        words = ", ".join(f"'{word}'" for word in answer.unread)
        yield f"searched in the texts, as the index has no column or value {words}"
    if not answer.passages:
        yield "no text of the index fits the question"
        return
    if answer.is_supported is None:
        yield f"{len(answer.passages)} nearest passages, judged by no model"
        yield "\n".join(_line(passage) for passage in answer.passages)
        return
    answering = [passage for passage in answer.passages if passage.verdict == "answers"]
    unsupported = [passage for passage in answer.passages if passage.verdict == "unsupported"]
    judged = sum(passage.verdict != "withheld" for passage in answer.passages)
    yield f"{len(answering)} of {judged} passages answer, says {answer.model}"
    if answering:
        yield "\n".join(map(_quoted, answering))
    if unsupported:
        lines = map(_quoted, unsupported)
        yield "\n".join(["unsupported, as the passage does not hold these words:", *lines])
    others = [passage for passage in answer.passages if passage.verdict == "other"]
    if others and not answering:
        yield "\n".join(["unsupported; the nearest passages are:", *map(_line, others)])


def _place(passage: Passage) -> str:
    """Return the citation of a passage: the id of its chunk, its clip, and start and end in s."""
    hit = passage.hit
    return f"[{hit.id}]  {hit.clip}  {hit.start:.1f}-{hit.end:.1f} s"


def _quoted(passage: Passage) -> str:
    """Return a passage with the words that a model quotes, in one line."""
    return f'{_place(passage)}  "{" ".join(passage.quote.split())}"'


def _line(passage: Passage) -> str:
    """Return a passage with the first of its texts."""
    if not passage.texts:
        return f"{_place(passage)}  (withheld: its text speaks to a model)"
    caption = passage.texts[0]
    return f"{_place(passage)}  {caption.kind}: {shorten(caption.text, TEXT_WIDTH, placeholder=' ...')}"


def _source(passage: Passage) -> str:
    """Return a passage with all of its texts and what wrote them."""
    captions: Sequence[tuple[str, Caption]] = [
        *(("", caption) for caption in passage.texts),
        *((", not shown to a model", caption) for caption in passage.withheld),
    ]
    lines = [
        f"    {caption.kind} ({caption.model}{note}): {' '.join(caption.text.split())}"
        for note, caption in captions
        if caption.text.strip()  # a transcript is empty where nobody speaks
    ]
    return "\n".join([f"{_place(passage)}  score {passage.hit.score:.4f}, {passage.verdict}", *lines])
