"""One way to compute a run and to audit it, for the command line, `bench rerun` and `bench.run`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench import paths, report, runner
from bench.catalog import Registry
from bench.datasets.index import Source
from bench.embed.cache import Cache
from bench.embed.shards import ProgressFactory
from bench.errors import BenchError, one_line
from bench.report import Report
from bench.request import Exploration, Indexing, Request
from bench.runner import Audit, progress, trackers
from bench.store import Counters, Store, signature

if TYPE_CHECKING:
    from bench import exploration
    from bench.inference.export import Choice
    from bench.retrieval.building import Addition
    from bench.retrieval.index import Index


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did, and its report."""

    counters: Counters
    report: Report


def compute(  # the last three say how a run is shown, and to whom
    request: Request,
    declared: Registry,
    store: Store,
    *,
    track: Sequence[str] = (),
    plain: bool = False,
    log_json: bool = False,
) -> Outcome:
    """Compute the cells that a store lacks, with progress, trackers and a soft stop, and write its report.

    The first Ctrl-C ends the run after the current units, the second one at once.

    Raises
    ------
    UsageError
        If something is unknown or does not fit, or the store or the cache cannot be written.
    """
    services = trackers.connect(track)
    plan = runner.plan(request, declared)
    if track:
        services = services.without(runner.folders(plan, request))
    embeddings = cache()
    with store.writing(), embeddings.in_use():
        with progress.watching(plain=plain, log_json=log_json, trackers=services) as events:
            counters = runner.run(plan, request, store, embeddings, events)
        return Outcome(counters, report.updated(store))


def export(request: Request, declared: Registry, path: Path, *, plain: bool = False) -> int:
    """Write the embeddings of a data set with progress and a soft stop, and return the number of rows.

    Raises
    ------
    UsageError, ClipError
        See `embed.export`.
    """
    embeddings = cache()
    with embeddings.in_use(), progress.watching(plain=plain) as events:
        return runner.export(request, declared, embeddings, path, _progress_of(events))


def export_model(store: Store, choice: Choice, to: Path, *, plain: bool = False) -> str:
    """Write a row of a run as a model, with progress and a soft stop, and return its card in Markdown.

    Raises
    ------
    UsageError, SplitError, PluginError
        See `inference.export.export`.
    """
    from bench.inference.export import export  # what other verbs do not need

    embeddings = cache()
    with embeddings.in_use(), progress.watching(plain=plain) as events:
        return export(store, choice, to, paths.home(), embeddings, _progress_of(events))


def explore(
    request: Request, options: Exploration, declared: Registry, *, plain: bool = False
) -> exploration.Outcome:
    """Explore the collection of a request with one data set, with progress, and write the files.

    Raises
    ------
    UsageError
        If something is unknown or does not fit, or the folder or the cache cannot be written.
    """
    from bench import exploration

    exploration.check(options)
    folder = exploration.Folder(options.out)
    folder.check(exploration.NAMES)
    return exploration.write(
        findings(request, options, declared, plain=plain), options, folder, request.command
    )


def findings(
    request: Request, options: Exploration, declared: Registry, *, plain: bool = False
) -> exploration.Findings:
    """Return what the collection of a request with one data set holds, with progress and a soft stop.

    Raises
    ------
    UsageError
        As of `explore`.
    """
    from bench import exploration  # a run needs none of its libraries

    exploration.check(options)
    embeddings = cache()
    with embeddings.in_use(), progress.watching(plain=plain) as events:
        near_copies = request.near_copies if options.duplicates else "off"  # they take a minute
        names = exploration.frame_extractors(request.extractors, options)
        collection = exploration.collection_of(
            replace(request, near_copies=near_copies), declared, embeddings, _progress_of(events), names
        )
        return exploration.analyse(collection, options, exploration.Memory(request.home))


def index(
    request: Request, indexing: Indexing, declared: Registry, *, plain: bool = False
) -> tuple[Index, Addition]:
    """Build an index of a request with one data set, with progress and a soft stop; see `retrieval.building`.

    Raises
    ------
    UsageError
        If something is unknown or does not fit, or the folder or the cache cannot be written.
    """
    from bench.retrieval import building  # a run needs none of its libraries

    embeddings = cache()
    with embeddings.in_use(), progress.watching(plain=plain) as events:
        return building.build(request, indexing, declared, embeddings, _progress_of(events))


def add(
    folder: Path, request: Request, declared: Registry, *, weights: str = "", plain: bool = False
) -> Addition:
    """Add the clips of a request with one data set to an index, with progress and a soft stop.

    Parameters
    ----------
    weights : str
        Folder or file of the extractor's weights; empty for where they were.

    Raises
    ------
    UsageError
        If the folder is no index, or its extractor is not here.
    """
    from bench.retrieval import building, encoder
    from bench.retrieval.index import Index

    opened = Index.open(folder)
    of_index = encoder.encoder_of_index(opened, request, declared, weights)
    embeddings = cache()
    with embeddings.in_use(), progress.watching(plain=plain) as events:
        return building.add(opened, of_index, request, declared, embeddings, _progress_of(events))


def _progress_of(events: progress.Rendering) -> ProgressFactory:
    """Return what makes the progress callback of an extractor over a data set."""

    def progress_of(source: Source, extractor: str, n_clips: int) -> runner.EmbeddingProgress:
        counts = runner.ClipCounts.of(source, extractor, cached=0)
        events.count(replace(counts, cached=counts.clips - n_clips))
        return runner.EmbeddingProgress(events, source.dataset.name, extractor, n_clips)

    return progress_of


def audit(out: Path, *, trust: Collection[Path] = (), deep: bool = False) -> Audit:
    """Return the audit of a folder, with its report rendered again; see `runner.audit`.

    Raises
    ------
    UsageError
        If the folder holds no run, or a line of results.jsonl is damaged.
    """
    store, embeddings = Store(out), cache()
    with embeddings.in_use():
        outcome = runner.audit(store, paths.home(), embeddings, trust=trust, deep=deep)
    try:
        lines, unchecked = report.differences(store), report.unchecked(store)
    except (BenchError, KeyError, ValueError) as error:  # predictions that contradict each other
        lines, unchecked = [], [f"the report: not rendered again ({one_line(error)})"]
    return replace(
        outcome,
        differences=(*outcome.differences, *lines),
        unchecked=(*outcome.unchecked, *unchecked),
        has_unread_signature=store.is_signed and not signature.is_required(),
    )


def cache() -> Cache:
    """Return the cache of this user.

    Raises
    ------
    UsageError
        If it cannot be opened or written.
    """
    return Cache(paths.cache_root())
