"""A plan -> results: every clip is embedded once, every result is stored as soon as it is computed."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from bench import augment
from bench.datasets.index import Source
from bench.embed.cache import Cache
from bench.embed.shards import UNIT_SECONDS, Shard, ShardReport, embed_shard, release, shards
from bench.errors import PluginError, UnavailableError, UsageError
from bench.request import Request
from bench.runner import executors
from bench.runner.cells import evaluate_cell
from bench.runner.choices import select
from bench.runner.estimate import Forecast, estimate, head_of, passes
from bench.runner.events import EmbeddingProgress, RunEvents
from bench.runner.executors import Workers
from bench.runner.extraction import Work
from bench.runner.planning import Plan, fold_table
from bench.runner.provenance import record, with_earlier
from bench.runner.schedule import Scheduler
from bench.store import Counters, RunRecord, Store
from bench.types import BASELINE, Cell, Result, Status, View


def run(plan: Plan, request: Request, store: Store, cache: Cache, events: RunEvents) -> Counters:
    """Compute the cells that the store lacks, and return what was done.

    A cell that fails is stored with its reason, and computed again by the next run; the other cells continue.

    Raises
    ------
    UsageError
        If the store or the cache cannot be written; finished cells are stored.
    KeyboardInterrupt
        If the events are stopping; the current units are stored.
    """
    start = time.perf_counter()
    expectation = estimate(plan, request, store, cache)
    counters = Counters(cells_planned=len(plan.cells) + len(plan.selections) + len(plan.rejected))
    results = _Results(store, events, counters, expectation.results)
    run_record = record(plan, request, counters, finished=False)
    with suppress(UsageError):  # the first run in this folder, or a record that cannot be read
        run_record = with_earlier(run_record, store.run(), expectation.results)
    reused = {*expectation.reusable, *run_record.earlier}
    models = {key: digest for key, digest in run_record.models.items() if key in reused}
    run_record = replace(run_record, models=models)
    store.write_run(run_record)
    _write_tables(plan, store)
    events.planned(expectation.planned)
    counters.cells_reused = len(expectation.reusable)
    for result in plan.rejected:
        results.add(result)
    groups = _cells_by_extractor(cell for cell in plan.cells if cell.key not in expectation.reusable)
    if groups:
        with executors.start(request.executor, request.jobs, request.cell_timeout, cache.root) as workers:
            execution = _Execution(
                plan=plan,
                request=request,
                store=store,
                cache=cache,
                events=events,
                workers=workers,
                results=results,
                forecast=expectation.forecast,
                waiting=deque(groups),
                folders=run_record.folders,
            )
            Scheduler(workers, execution).run()
    _select(plan, store, results, expectation.reusable)
    counters.seconds = round(time.perf_counter() - start, 3)
    store.write_run(replace(run_record, finished=True, models=_models(store, run_record)))
    return counters


def _models(store: Store, run_record: RunRecord) -> Mapping[str, str]:
    """Return the digest of the saved models of every cell; those of reused cells stay as they were."""
    now = {key: store.models_digest(key) for key in run_record.cells if key not in run_record.models}
    return {**run_record.models, **{key: digest for key, digest in now.items() if digest}}


def _write_tables(plan: Plan, store: Store) -> None:
    """Write the labels of every dataset and the folds of every problem."""
    for name, source in plan.sources.items():
        store.write_labels(name, source.dataset.table[["clip", *source.dataset.labels]])
    for (dataset, task), problem in plan.problems.items():
        for number, repeat in enumerate((problem, *problem.repeats)):
            table = fold_table(plan.sources[dataset], repeat.y, repeat.split)
            store.write_split(dataset, task, table, number)


def _select(plan: Plan, store: Store, results: _Results, reusable: Set[str]) -> None:
    """Choose rows in inner folds, and store their results."""
    for selection in plan.selections:
        if selection.key in reusable:
            continue
        first = selection.candidates[0]
        problem, clips = plan.problem(first), plan.sources[first.dataset].dataset.table["clip"]
        parents = None if problem.parent is None else dict(zip(clips, problem.parent, strict=True))
        results.add(*select(selection, store.results(), store.scored_predictions, parents))


def _cells_by_extractor(cells: Iterable[Cell]) -> list[list[Cell]]:
    """Return cells in groups that share dataset and extractor.

    The cells of a view follow each other, whatever their task and repeat: a process keeps one view in memory.
    """
    groups: dict[tuple[str, str], dict[View, list[Cell]]] = {}
    for cell in cells:
        views = groups.setdefault((cell.dataset, cell.extractor.name), {})
        views.setdefault(cell.view, []).append(cell)
    return [[cell for of_view in views.values() for cell in of_view] for views in groups.values()]


class _Results:
    """Results of a run: stored, counted, and reported to its events."""

    def __init__(
        self, store: Store, events: RunEvents, counters: Counters, earlier: Mapping[str, Result]
    ) -> None:
        self.counters = counters
        self._store = store
        self._events = events
        self._earlier = earlier

    def add(self, result: Result, predictions: pd.DataFrame | None = None) -> None:
        """Store a result, unless it is the one that the store already has, without predictions."""
        counters = self.counters
        counters.cells_skipped += result.status == Status.SKIPPED
        counters.cells_failed += result.status == Status.FAILED
        counters.cells_computed += result.status == Status.OK
        if predictions is not None or self._earlier.get(result.key) != result:
            self._store.append(result, predictions)
        done = (
            counters.cells_reused + counters.cells_skipped + counters.cells_failed + counters.cells_computed
        )
        self._events.finished(result, done, counters.cells_planned)


@dataclass(slots=True, eq=False)
class _Group:
    """Cells that share dataset and extractor.

    Parameters
    ----------
    cells : Sequence[Cell]
        Empty as soon as the group has failed.
    progress : EmbeddingProgress
        Progress of the embedding.
    n_open : int
        Number of shards that are not embedded.
    bad : dict[str, str]
        Content -> why it cannot be decoded.
    """

    source: Source
    cells: Sequence[Cell]
    progress: EmbeddingProgress
    n_open: int
    bad: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _WorkUnit:
    """What a worker does at once: embed a shard, or evaluate a cell, of a group."""

    group: _Group
    work: Shard | Work


@dataclass(slots=True, eq=False)
class _Execution:
    """The work of one run, as the scheduler sees it.

    Parameters
    ----------
    waiting : deque[Sequence[Cell]]
        Cells of the groups that have not begun.
    folders : tuple[str, ...]
        Folders of this machine, which files for others do not name.
    embedding : set[str]
        Digests of the extractors with open shards.
    token : str
        Token that the units of this run share.
    """

    plan: Plan
    request: Request
    store: Store
    cache: Cache
    events: RunEvents
    workers: Workers
    results: _Results
    forecast: Forecast
    waiting: deque[Sequence[Cell]]
    folders: tuple[str, ...]
    embedding: set[str] = field(default_factory=set)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def stopping(self) -> bool:
        """Return whether the events ask for an end."""
        return self.events.stopping

    @property
    def is_exhausted(self) -> bool:
        """Return whether all groups have begun."""
        return not self.waiting

    def next_units(self) -> list[_WorkUnit] | None:
        """Return the units of the next group; None if there is none whose extractor is idle.

        An extractor works on one dataset at a time, so that clips which datasets share are embedded once.
        """
        for cells in self.waiting:
            if self.plan.digests[cells[0].extractor.name] not in self.embedding:
                self.waiting.remove(cells)
                return self._begin(cells)
        return None

    def submit(self, unit: _WorkUnit) -> Future[Any] | None:
        """Submit a unit; return None if its group has failed."""
        if not unit.group.cells:
            return None
        if isinstance(unit.work, Work):
            return self.workers.submit(evaluate_cell, unit.work)
        if self.workers.in_process:
            return self.workers.submit(embed_shard, unit.work, unit.group.progress)
        return self.workers.submit(embed_shard, unit.work, extra_seconds=UNIT_SECONDS)

    def settle(self, unit: _WorkUnit, future: Future[Any]) -> list[_WorkUnit]:
        """Store the outcome of a unit, and return the units that follow from it.

        Raises
        ------
        UsageError
            If the store or the cache cannot be written, or the workers have gone.
        """
        if isinstance(unit.work, Work):
            self._settle_cell(unit.work, future)
            units = []
        else:
            units = self._settle_shard(unit.group, unit.work, future)
        seconds = self.forecast.seconds_left()
        self.events.expected(None if seconds is None else seconds / max(1, self.workers.count()))
        return units

    def _begin(self, cells: Sequence[Cell]) -> list[_WorkUnit]:
        """Return the shards of a group, or its cells if all of its clips are in the cache."""
        source, spec = self.plan.sources[cells[0].dataset], cells[0].extractor
        digest = self.plan.digests[spec.name]
        views = {cell.view for cell in cells}
        changes = augment.parse(self.request.augment)
        missing, n_cached = shards(source, spec, digest, self.cache, changes, views)
        self.results.counters.clips_cached += n_cached
        n_clips = sum(len(shard.clips) for shard in missing)
        progress = EmbeddingProgress(self.events, source.dataset.name, spec.name, n_clips)
        group = _Group(source=source, cells=cells, progress=progress, n_open=len(missing))
        if not missing:
            return self._evaluations(group)
        self.embedding.add(digest)
        return [_WorkUnit(group, shard) for shard in missing]

    def _settle_cell(self, work: Work, future: Future[Any]) -> None:
        """Store the result of a cell."""
        loss = executors.loss(executors.error_of(future))
        if loss:
            result, predictions = Result.unfinished(work.cell, Status.FAILED, loss), None
        else:
            result, predictions = future.result()
        seconds = result.cost.fit_s + result.cost.predict_s
        passed = passes(work.cell, self.request)
        self.forecast.finish(head_of(work.cell), len(work.contents), seconds, passed)
        self.results.add(result, predictions)

    def _settle_shard(self, group: _Group, shard: Shard, future: Future[Any]) -> list[_WorkUnit]:
        """Count the clips of a shard, and return the rest of it, or the cells after the last shard."""
        name = shard.spec.name
        error = executors.error_of(future)
        loss = executors.loss(error)
        if loss or isinstance(error, (PluginError, UnavailableError)):
            self.embedding.discard(shard.digest)
            status = Status.SKIPPED if isinstance(error, UnavailableError) else Status.FAILED
            self._reject(group, status, f"extractor '{name}': {loss}" if loss else str(error))
            return []
        embedding: ShardReport = future.result()
        self.forecast.finish(("extractor", name), embedding.audio_s, embedding.seconds)
        self.results.counters.clips_decoded += embedding.n_clips
        self.results.counters.clips_embedded += embedding.n_clips
        if not self.workers.in_process:
            group.progress(embedding.n_clips, embedding.audio_s)
        group.bad |= embedding.bad
        if embedding.rest and group.cells:
            return [_WorkUnit(group, embedding.rest)]
        group.n_open -= 1
        if group.n_open:
            return []
        self.embedding.discard(shard.digest)
        if self.workers.in_process:
            release()
        return self._evaluations(group)

    def _evaluations(self, group: _Group) -> list[_WorkUnit]:
        """Return the cells of a group whose clips are embedded; none if too many clips cannot be decoded."""
        if not group.cells:
            return []
        dataset, n_clips = group.source.dataset.name, len(group.source.contents)
        bad = group.source.bad(group.bad)
        self.store.write_bad_clips(dataset, bad)
        allowed = min(int(self.request.allow_bad * n_clips), n_clips - 1)
        if len(bad) > allowed:
            clip, cause = next(iter(bad.items()))
            reason = (
                f"{len(bad)} of {n_clips} clips of {dataset} cannot be decoded, and --allow-bad allows "
                f"{allowed}; repair the clips listed in {self.store.bad_clips_path}, such as {clip}: {cause}"
            )
            self._reject(group, Status.FAILED, reason)
        return [_WorkUnit(group, self._work(group.source, cell, group.bad)) for cell in group.cells]

    def _work(self, source: Source, cell: Cell, bad: Collection[str]) -> Work:
        return Work(
            run=self.token,
            cell=cell,
            problem=self.plan.problem(cell),
            cache=self.cache.root,
            digest=self.plan.digests[cell.extractor.name],
            identity=self.plan.identities[cell.extractor.name],
            clips=source.dataset.table["clip"].to_numpy(),
            contents=source.contents,
            copies=source.copies,
            bad=frozenset(bad),
            device=self.request.device,
            select=self.request.select and cell.head.name != BASELINE,
            models=self.store.models_path(cell.key).absolute() if self.request.save_models else None,
            folders=self.folders,
        )

    def _reject(self, group: _Group, status: Status, reason: str) -> None:
        """Store that the cells of a group cannot be computed."""
        for cell in group.cells:
            amount = len(group.source.contents) * passes(cell, self.request)
            self.forecast.plan(head_of(cell), -amount)
            self.results.add(Result.unfinished(cell, status, reason))
        group.cells = ()
