"""Cells -> results: every clip embedded once, every result kept as soon as it is there."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from bench import augment
from bench.datasets.index import Source
from bench.embed.cache import Cache
from bench.embed.shards import UNIT_SECONDS, Shard, ShardReport, embed_shard, release, shards
from bench.errors import BenchError, ClipError, PluginError, UnavailableError
from bench.request import Request
from bench.runner import executors
from bench.runner.cells import Work, evaluate_cell, unfinished
from bench.runner.estimate import outlook
from bench.runner.events import Observer, Speedometer
from bench.runner.executors import Workers
from bench.runner.planning import Plan, fold_table, layers
from bench.runner.provenance import Counters, record
from bench.store import Store
from bench.types import Cell, Result, Status


def run(plan: Plan, request: Request, store: Store, cache: Cache, observer: Observer) -> Counters:
    """Compute what the store does not have yet, and return what was done.

    A cell that fails is recorded with its reason and tried again by the next run; the others go on.

    Raises
    ------
    UsageError
        If the store or the cache cannot be written; what is finished is kept.
    KeyboardInterrupt
        If the observer wanted to stop; what was in hand is kept.
    """
    return _Execution(plan, request, store, cache, observer).run()


MEND_SECONDS = 30.0
"""When nothing is done for so long, there may be no worker left to do it."""

Unit = Shard | Work


@dataclass(slots=True, eq=False)
class _Group:
    """The cells of one dataset and extractor, and what is to be embedded before them.

    Parameters
    ----------
    cells : Sequence[Cell]
        Empty, once the group has failed.
    meter : Speedometer
        Of the embedding.
    open : int
        Shards that are not done.
    bad : dict[str, str]
        Content -> why it cannot be decoded.
    """

    source: Source
    cells: Sequence[Cell]
    meter: Speedometer
    open: int
    bad: dict[str, str] = field(default_factory=dict)


class _Execution:
    """One run: what it works on, and what it has done so far."""

    def __init__(self, plan: Plan, request: Request, store: Store, cache: Cache, observer: Observer) -> None:
        self.plan = plan
        self.request = request
        self.store = store
        self.cache = cache
        self.observer = observer
        self.token = uuid.uuid4().hex
        self.changes = augment.parse(request.augment)
        self.counters = Counters(cells_planned=len(plan.cells) + len(plan.rejected))
        self.known = store.results()
        self.outlook = outlook(plan, request, store, cache)
        self.forecast = self.outlook.forecast
        self.embedding: set[str] = set()
        """The digests of the extractors of which shards are not done."""
        self.done = 0

    def run(self) -> Counters:
        start = time.perf_counter()
        started = record(self.plan, self.request, self.counters, finished=False)
        self.store.write_run(started)
        for name, source in self.plan.sources.items():
            self.store.write_labels(name, source.dataset.table[["clip", *source.dataset.labels]])
        for (dataset, task), problem in self.plan.problems.items():
            folds = fold_table(self.plan.sources[dataset], problem.y, problem.split)
            self.store.write_split(dataset, task, folds)
        self.observer.planned(self.outlook.told())
        groups: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.plan.cells:
            if cell.key in self.outlook.there:
                self.counters.cells_reused += 1
                self.done += 1
            else:
                groups.setdefault((cell.dataset, cell.extractor.name), []).append(cell)
        for result in self.plan.rejected:
            self._keep(result)
        if groups:
            asked = self.request.executor, self.request.jobs, self.request.cell_timeout
            with executors.opened(*asked, self.cache.root) as workers:
                self._work(workers, groups.values())
        self.counters.seconds = round(time.perf_counter() - start, 3)
        self.store.write_run({**started, "finished": True, "counters": asdict(self.counters)})
        return self.counters

    def _work(self, workers: Workers, groups: Iterable[Sequence[Cell]]) -> None:
        """Give the workers units until nothing is left, someone wants to stop, or something is broken.

        Parameters
        ----------
        groups : Iterable[Sequence[Cell]]
            The cells of one dataset and extractor each.
        """
        waiting = deque(groups)
        ready: deque[tuple[_Group, Unit]] = deque()
        running: dict[Future[Any], tuple[_Group, Unit]] = {}
        suspects: deque[tuple[_Group, Unit]] = deque()
        alone: Future[Any] | None = None
        broken: BenchError | None = None
        while True:
            stopping = broken or self.observer.stopping
            while not stopping and len(running) < workers.limit():
                if ready:
                    group, unit = ready.popleft()
                    if group.cells:  # unless another shard has failed
                        running[self._submitted(workers, group, unit)] = group, unit
                elif cells := self._next(waiting):
                    ready.extend(self._opened(cells))
                else:
                    break
                stopping = self.observer.stopping
            if suspects and not (running or stopping):
                group, unit = suspects.popleft()
                alone = self._submitted(workers, group, unit)
                running[alone] = group, unit
            if not running:
                break
            finished = wait(running, MEND_SECONDS, FIRST_COMPLETED).done
            if not finished:
                workers.mend()
            for future in finished:
                group, unit = running.pop(future)
                if workers.blames_others and future is not alone and executors.died(future):
                    suspects.append((group, unit))  # to be tried with no other beside it
                    continue
                try:
                    # What follows comes first: an extractor's cells are done before the next one's clips.
                    ready.extendleft(reversed(list(self._settled(workers, group, unit, future))))
                except BenchError as error:
                    broken = broken or error
                left = self.forecast.left()
                self.observer.expected(None if left is None else left / max(1, workers.count()))
        if broken:
            raise broken
        if ready or waiting or suspects:
            raise KeyboardInterrupt

    def _next(self, waiting: deque[Sequence[Cell]]) -> Sequence[Cell]:
        """Take out the first cells whose extractor is not at work: what datasets share is embedded once."""
        free = (
            cells for cells in waiting if self.plan.digests[cells[0].extractor.name] not in self.embedding
        )
        cells = next(free, ())
        if cells:
            waiting.remove(cells)
        return cells

    def _opened(self, cells: Sequence[Cell]) -> Iterator[tuple[_Group, Unit]]:
        """Yield the shards of a group, or its cells if all of its clips are embedded."""
        source, spec = self.plan.sources[cells[0].dataset], cells[0].extractor
        framed = set().union(*(layers(cell) for cell in cells))
        digest = self.plan.digests[spec.name]
        found, n_kept = shards(source, spec, digest, self.cache, self.changes, framed)
        self.counters.clips_cached += n_kept
        n_clips = sum(len(shard.clips) for shard in found)
        meter = Speedometer(source.dataset.name, spec.name, n_clips, self.observer)
        group = _Group(source, cells, meter, len(found))
        if found:
            self.embedding.add(digest)
        yield from ((group, shard) for shard in found) if found else self._embedded(group)

    def _submitted(self, workers: Workers, group: _Group, unit: Unit) -> Future[Any]:
        """Return the future of a unit."""
        if isinstance(unit, Work):
            return workers.send(evaluate_cell, unit)
        if workers.here:
            return workers.send(embed_shard, unit, group.meter.tell)
        return workers.send(embed_shard, unit, more=UNIT_SECONDS)

    def _settled(
        self, workers: Workers, group: _Group, unit: Unit, future: Future[Any]
    ) -> Iterator[tuple[_Group, Unit]]:
        """Keep what became of a unit, and yield what is to be done next.

        Raises
        ------
        UsageError
            If the store or the cache cannot be written, or the workers have gone.
        """
        error = executors.error_of(future)
        reason = executors.lost(error)
        if isinstance(unit, Work):
            result, predictions = (
                (unfinished(unit.cell, Status.FAILED, reason), None) if reason else future.result()
            )
            self.forecast.done(
                ("head", result.head), self._size(unit.cell), result.cost.fit_s + result.cost.predict_s
            )
            self._keep(result, predictions)
            return
        if isinstance(error, (PluginError, UnavailableError)) or reason:
            name = unit.spec.name
            self.embedding.discard(unit.digest)
            self._reject(group, error, f"extractor '{name}': {reason}" if reason else str(error))
            return
        embedding: ShardReport = future.result()
        self.forecast.done(("extractor", unit.spec.name), embedding.audio_s, embedding.seconds)
        self.counters.clips_decoded += embedding.n_clips
        self.counters.clips_embedded += embedding.n_clips
        if not workers.here:
            group.meter.tell(embedding.n_clips, embedding.audio_s)
        group.bad |= embedding.bad
        if embedding.rest and group.cells:
            yield group, embedding.rest
            return
        group.open -= 1
        if not group.open:
            self.embedding.discard(unit.digest)
            if workers.here:
                release()
            yield from self._embedded(group)

    def _embedded(self, group: _Group) -> Iterator[tuple[_Group, Unit]]:
        """Yield the cells of a group whose clips are embedded; none if too many of them cannot be decoded."""
        source, n_clips = group.source, len(group.source.contents)
        if not group.cells:
            return
        bad = source.bad(group.bad)
        self.store.write_bad_clips(source.dataset.name, bad)
        allowed = min(int(self.request.allow_bad * n_clips), n_clips - 1)
        if len(bad) > allowed:
            error = ClipError(
                f"{len(bad)} of {n_clips} clips of {source.dataset.name} cannot be decoded, and --allow-bad "
                f"allows {allowed}; mend what {self.store.bad_clips_path} lists"
            )
            self._reject(group, error, str(error))
        for cell in group.cells:
            yield group, self._work_of(source, cell)

    def _work_of(self, source: Source, cell: Cell) -> Work:
        return Work(
            run=self.token,
            cell=cell,
            problem=self.plan.problems[cell.dataset, cell.task.name],
            cache=self.cache.root,
            digest=self.plan.digests[cell.extractor.name],
            clips=source.dataset.table["clip"].to_numpy(),
            contents=source.contents,
            copies=source.copies,
            device=self.request.device,
            models=self.store.models_path(cell.key).absolute() if self.request.save_models else None,
        )

    def _reject(self, group: _Group, error: BaseException | None, reason: str) -> None:
        """Keep that the cells of a group cannot be computed."""
        status = Status.SKIPPED if isinstance(error, UnavailableError) else Status.FAILED
        for cell in group.cells:
            self.forecast.ask(("head", cell.head.name), -self._size(cell))
            self._keep(unfinished(cell, status, reason))
        group.cells = ()

    def _size(self, cell: Cell) -> int:
        return len(self.plan.sources[cell.dataset].contents)

    def _keep(self, result: Result, predictions: pd.DataFrame | None = None) -> None:
        """Store a result, unless the same one without predictions stands there already, and tell of it."""
        self.counters.cells_skipped += result.status == Status.SKIPPED
        self.counters.cells_failed += result.status == Status.FAILED
        self.counters.cells_computed += result.status == Status.OK
        if predictions is not None or self.known.get(result.key) != result:
            self.store.append(result, predictions)
        self.done += 1
        self.observer.finished(result, self.done, self.counters.cells_planned)
