"""Run: an index and options -> descriptions in the index."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bench.description import describing, work
from bench.description.describing import Outcome, Report
from bench.request import Describing
from bench.retrieval import filters
from bench.retrieval.index import Index

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
        todo = describing.todo(snapshot, snapshot.matching(choice) if choice else None, describers)
    return describing.write(index, shown(work.spread(options, describers, todo), len(todo)))
