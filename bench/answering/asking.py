"""Asking: question -> answer, by a typed query or by passages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bench.answering import choosing, counting, passages, reading
from bench.answering.conditions import FILLERS
from bench.answering.passages import Passage
from bench.answering.queries import Query, Result, narrowed
from bench.answering.vocabulary import NOUNS, Vocabulary
from bench.errors import LanguageModelError, UsageError, message
from bench.retrieval import filters, sentences, texts
from bench.retrieval.snapshot import Snapshot
from bench.types.retrieval import LanguageModel, Message

Reader = Literal["rules", "model"]
"""What reads a question as a typed query."""

SPARE = 20
"""Number of passages that are retrieved beyond those asked for, in place of withheld ones."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question about an index.

    Parameters
    ----------
    where : str
        A condition that recordings meet, in the language of ``--where``; empty for all.
    k : int
        Number of passages.
    sentences : str
        Where the sentence encoder is, or ``none``; empty for where it was when the texts were encoded.
    """

    text: str
    where: str = ""
    k: int = 10
    sentences: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an index says to a question.

    Parameters
    ----------
    query : Query | None
        The typed query that answers it, with its result; None for a question about what is said or heard.
    unread : tuple[str, ...]
        Words of a question for a number or a list that name no column or value of the index.
    passages : tuple[Passage, ...]
        Without a typed query: texts that may answer the question, the best first.
    model : str
        Language model that was asked; empty for none.
    failure : str
        Why the language model did not answer; empty if it did.
    """

    question: Question
    query: Query | None = None
    reader: Reader | None = None
    result: Result | None = None
    unread: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    model: str = ""
    failure: str = ""

    @property
    def is_supported(self) -> bool | None:
        """Return whether the index holds the answer; None if nothing judged the passages."""
        if self.result is not None:
            return True
        if not self.model or self.failure:
            return None
        return any(passage.verdict == "answers" for passage in self.passages)


def ask(question: Question, snapshot: Snapshot, load: Callable[[], LanguageModel] | None = None) -> Answer:
    """Return the answer of an index to a question.

    What SQL can count is counted by SQL: the language model chooses the typed query if the rules find none,
    and judges passages if there is no typed query. It writes no word of the answer.

    Parameters
    ----------
    load : Callable[[], LanguageModel] | None
        Returns the language model; called if the rules do not read the question. None for no model.

    Raises
    ------
    UsageError
        If the condition is none, or a question needs texts, and they or their sentence encoder are not there.
    """
    vocabulary = Vocabulary(snapshot)
    read = reading.read(question.text, vocabulary)
    answer = Answer(question, read.query, "rules" if read.query else None, unread=read.unread)
    model: LanguageModel | None = None
    try:
        if load and not read.query:
            model = load()
            answer = replace(answer, model=model.name)
        if model and not read.unread:
            query = choosing.choose(question.text, vocabulary, model)
            answer = replace(answer, query=query, reader="model" if query else None)
    except LanguageModelError as error:
        answer = replace(answer, failure=message(error))
    if answer.query:
        query = narrowed(answer.query, question.where)
        return replace(answer, query=query, result=counting.run(query, snapshot))
    answer = replace(answer, passages=retrieve(question, snapshot))
    return answer if model is None or answer.failure else _judge(answer, model)


def retrieve(question: Question, snapshot: Snapshot) -> tuple[Passage, ...]:
    """Return the passages that may answer a question, the best first; those that are withheld do not count.

    Raises
    ------
    UsageError
        If the condition is none, or the index has no texts, or its sentence encoder is not there.
    """
    if snapshot.connection.execute("SELECT 1 FROM captions").fetchone() is None:
        raise UsageError(
            f"'{question.text}': asks for no number that the labels give, and the index has no texts to "
            "search; write some by `bench describe INDEX`"
        )
    files = snapshot.matching(filters.parse(question.where)) if question.where else None
    encoder = sentences.encoder_of(snapshot, question.sentences)
    content = _content(question.text)
    hits = texts.search_text(snapshot, content, question.k + SPARE, files, encoder)
    retrieved: list[Passage] = []
    n_shown = 0
    for each in (passages.passage(hit, content) for hit in hits):
        if n_shown == question.k:
            break
        retrieved.append(each)
        n_shown += each.verdict != "withheld"
    return tuple(retrieved)


def prompts(question: Question, snapshot: Snapshot) -> list[Sequence[Message]]:
    """Return what a language model may be asked: for the typed query, and about every passage.

    Raises
    ------
    UsageError
        As of `ask`.
    """
    vocabulary = Vocabulary(snapshot)
    read = reading.read(question.text, vocabulary)
    if read.query:
        return []
    about = [
        passages.messages(question.text, each)
        for each in retrieve(question, snapshot)
        if each.verdict != "withheld"
    ]
    return about if read.unread else [choosing.messages(question.text, vocabulary), *about]


def _content(question: str) -> str:
    """Return a question without the words that most questions have; all of it if there are no others."""
    words = [word for word in question.split() if not _is_common(word.strip(".,?!").lower())]
    return " ".join(words) or question


def _is_common(word: str) -> bool:
    """Return whether a word, in lower case, says nothing of what a recording holds."""
    return word in FILLERS or word.removesuffix("s") in NOUNS or word in {"", "how"}


def _judge(answer: Answer, model: LanguageModel) -> Answer:
    """Return an answer with the verdicts of a model on its passages, up to where it fails."""
    judged: list[Passage] = []
    try:
        for each in answer.passages:
            judged.append(passages.judged(answer.question.text, each, model))
    except LanguageModelError as error:
        answer = replace(answer, failure=message(error))
    return replace(answer, passages=(*judged, *answer.passages[len(judged) :]))
