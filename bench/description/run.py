"""Run: an index and options -> descriptions, vectors of texts and titles in the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from bench import language, paths
from bench.description import describing, titles, work
from bench.description.describing import Outcome, Report
from bench.description.titles import Clusters, Titles
from bench.request import Describing
from bench.retrieval import filters, sentences
from bench.retrieval.index import Index
from bench.types.retrieval import Message, SentenceEncoder

Shown = Callable[[Iterable[Outcome], int], Iterable[Outcome]]
"""Passes outcomes on, of which there are so many, and shows how far they are."""


def describe(index: Index, options: Describing, shown: Shown = lambda outcomes, total: outcomes) -> Report:
    """Describe the files of an index that lack a description, and return what was written.

    Raises
    ------
    UsageError
        If an option names something unknown, or the index cannot be written.
    UnavailableError
        If a package or weights are not here.
    LanguageModelError
        If the server of a captioner fails; the descriptions before stay.
    """
    describers = work.describers(options)
    with index.snapshot() as snapshot:
        choice = filters.parse(options.where) if options.where else None
        ids = snapshot.matching(choice).tolist() if choice else None
        todo = describing.todo(snapshot, ids, describers)
    return describing.write(index, shown(work.spread(options, describers, todo), len(todo)))


def encode(index: Index, encoder: SentenceEncoder) -> int:
    """Compute the vectors of the texts of an index that lack one, and return their number.

    Raises
    ------
    UsageError
        If the index cannot be written.
    """
    with index.writing() as writer:
        return sum(sentences.encode_missing(writer, encoder))


def encoder_of(index: Index, options: Describing) -> SentenceEncoder | None:
    """Return the sentence encoder of the options; None for none.

    Raises
    ------
    UsageError, UnavailableError
        If it is not here.
    """
    if not options.sentences:
        return None
    with index.snapshot() as snapshot:
        return sentences.load(options.sentences, sentences.names(snapshot), options.device)


def title(index: Index, options: Describing, encoder: SentenceEncoder | None) -> Titles:
    """Write the titles of clusters to an index, and return them with their test.

    Raises
    ------
    UsageError
        If there are no clusters or no texts, the model is unknown, or the index cannot be written.
    UnavailableError
        If a package is not here.
    LanguageModelError
        If the model does not answer; the index is as it was.
    """
    model = language.load(options.llm, paths.home(), options.device) if options.llm else None
    return titles.run(index, Clusters(options.by, options.clusters), model, encoder)


def prompts(index: Index, options: Describing) -> list[Sequence[Message]]:
    """Return what a language model would be asked for the titles of clusters.

    Raises
    ------
    UsageError
        If there are no clusters or no texts.
    """
    return titles.prompts(index, Clusters(options.by, options.clusters))
