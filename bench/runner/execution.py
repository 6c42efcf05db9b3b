"""Cells -> results: every clip embedded once, every result kept as soon as it is there."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd

from bench import registry, views
from bench.cache import Cache, Embedded
from bench.errors import ClipError, PluginError, UnavailableError
from bench.evaluate import evaluate, score
from bench.runner.embedding import cause, embed
from bench.runner.planning import Plan, Problem, Request, Source
from bench.runner.record import Counters, record, versions
from bench.store import Store
from bench.types import Cell, Cost, Head, Result, Spec, Status


class Observer(Protocol):
    """Who is told how a run goes."""

    def embedded(self, dataset: str, extractor: str, done: int, total: int) -> None:
        """Take note that `done` of `total` clips have been embedded."""

    def finished(self, result: Result, done: int, total: int) -> None:
        """Take note of a cell's result, the `done`-th of `total`."""


def run(plan: Plan, request: Request, store: Store, cache: Cache, observer: Observer) -> Counters:
    """Compute what the store does not have yet, and return what was done.

    A cell that fails is recorded with its reason and tried again by the next run; the others go on.

    Raises
    ------
    UsageError
        If the store or the cache cannot be written; what is finished is kept.
    """
    return _Execution(plan, request, store, cache, observer).run()


class _Execution:
    """One run: what it works on, and what it has done so far."""

    def __init__(self, plan: Plan, request: Request, store: Store, cache: Cache, observer: Observer) -> None:
        self.plan = plan
        self.request = request
        self.store = store
        self.cache = cache
        self.observer = observer
        self.counters = Counters(cells_planned=len(plan.cells) + len(plan.rejected))
        self.known = store.results()
        self.done = 0

    def run(self) -> Counters:
        start = time.perf_counter()
        self.store.write_run(record(self.plan, self.request, self.counters, finished=False))
        groups: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.plan.cells:
            if self._reusable(cell):
                self.counters.cells_reused += 1
                self.done += 1
            else:
                groups.setdefault((cell.dataset, cell.extractor.name), []).append(cell)
        for result in self.plan.rejected:
            self._keep(result)
        for (dataset, _), cells in groups.items():
            self._compute(self.plan.sources[dataset], cells)
        self.counters.seconds = round(time.perf_counter() - start, 3)
        self.store.write_run(record(self.plan, self.request, self.counters, finished=True))
        return self.counters

    def _reusable(self, cell: Cell) -> bool:
        """Return whether the store has the cell, made of as many clips as this run asks for."""
        result = self.known.get(cell.key)
        n_clips = len(self.plan.sources[cell.dataset].contents)
        return bool(
            result and result.status == Status.OK and result.n_bad <= self.request.allow_bad * n_clips
        )

    def _compute(self, source: Source, cells: Sequence[Cell]) -> None:
        """Embed a dataset with one extractor, then compute the cells that share the embeddings."""
        try:
            embedded = self._embed(source, cells[0].extractor)
            self._refuse_too_many_bad(source, embedded)
        except (PluginError, ClipError, UnavailableError) as error:
            status = Status.SKIPPED if isinstance(error, UnavailableError) else Status.FAILED
            for cell in cells:
                self._keep(_unfinished(cell, status, str(error)))
            return
        for cell in cells:
            problem = self.plan.problems[cell.dataset, cell.task.name]
            try:
                result, predictions = _outcome(cell, source, problem, embedded)
            except Exception as error:  # whatever a head raises is its own cell's failure
                self._keep(_unfinished(cell, Status.FAILED, cause(error)))
            else:
                self.counters.cells_computed += 1
                self._keep(result, predictions)

    def _keep(self, result: Result, predictions: pd.DataFrame | None = None) -> None:
        """Store a result, unless the same one stands there already, and tell of it."""
        self.counters.cells_skipped += result.status == Status.SKIPPED
        self.counters.cells_failed += result.status == Status.FAILED
        if self.known.get(result.key) != result:
            self.store.append(result, predictions)
        self.done += 1
        self.observer.finished(result, self.done, self.counters.cells_planned)

    def _embed(self, source: Source, spec: Spec) -> Mapping[str, Embedded]:
        """Return content digest -> embedding of every clip that can be decoded."""
        digest = self.plan.digests[spec.name]
        embedded = dict(self.cache.read(digest))
        clips = source.dataset.clips()
        wanted = {content: clip for clip, content in zip(clips, source.contents, strict=True) if content}
        todo = {content: clip for content, clip in wanted.items() if content not in embedded}
        self.counters.clips_cached += len(wanted) - len(todo)
        bad: dict[str, str] = {}
        for batch in embed(todo, spec):
            if batch.made:
                self.cache.write(digest, batch.made)
            embedded.update(batch.made)
            bad.update(batch.bad)
            self.counters.clips_decoded += len(batch.made)
            self.counters.clips_embedded += len(batch.made)
            self.observer.embedded(source.dataset.name, spec.name, batch.done, len(todo))
        undecodable = {
            clip.id: bad[content]
            for clip, content in zip(clips, source.contents, strict=True)
            if content in bad
        }
        self.store.write_bad_clips(source.dataset.name, {**source.unreadable, **undecodable})
        return embedded

    def _refuse_too_many_bad(self, source: Source, embedded: Mapping[str, Embedded]) -> None:
        """Raise ClipError if more clips are undecodable than the request allows."""
        n_bad, n_clips = sum(content not in embedded for content in source.contents), len(source.contents)
        if n_bad > self.request.allow_bad * n_clips or n_bad == n_clips:
            raise ClipError(
                f"{n_bad} of {n_clips} clips of {source.dataset.name} cannot be decoded, more than the "
                f"{self.request.allow_bad:.1%} of --allow-bad; mend what {self.store.bad_clips_path} lists"
            )


def _outcome(
    cell: Cell, source: Source, problem: Problem, embedded: Mapping[str, Embedded]
) -> tuple[Result, pd.DataFrame]:
    """Return a cell's result and its predictions."""
    good = np.array([content in embedded for content in source.contents])
    clips = [embedded[content] for content in source.contents if content in embedded]
    X = views.select(np.stack([clip.statistics for clip in clips]), cell.view)
    y, split = problem.y[good], problem.split.take(good)
    evaluation = evaluate(X, y, split, lambda: _head(cell.head, cell.seed), time.perf_counter)
    predictions = evaluation.predictions
    names = source.dataset.table["clip"].to_numpy()[good][predictions["row"]]
    cost = Cost(
        audio_s=round(sum(clip.audio_s for clip in clips), 3),
        extract_s=round(sum(clip.extract_s for clip in clips), 4),
        fit_s=round(evaluation.fit_s, 4),
        predict_s=round(evaluation.predict_s, 4),
        dim=X.shape[1],
    )
    result = dataclasses.replace(
        _unfinished(cell, Status.OK),
        scores=score(predictions, cell.task.metrics),
        n_train=evaluation.n_train,
        n_test=len(predictions),
        n_classes=len(np.unique(y)),
        n_bad=int((~good).sum()),
        cost=cost,
        env=versions(["scikit-learn", *cell.extractor.requires, *cell.head.requires]),
    )
    return result, predictions.drop(columns="row").assign(clip=names)


def _unfinished(cell: Cell, status: Status, reason: str = "") -> Result:
    """Return the result of a cell without scores."""
    return Result(
        key=cell.key,
        dataset=cell.dataset,
        task=cell.task.name,
        extractor=cell.extractor.name,
        view=str(cell.view),
        head=cell.head.name,
        seed=cell.seed,
        split=cell.split,
        status=status,
        reason=reason,
    )


def _head(spec: Spec, seed: int) -> Head:
    """Return a fresh head, seeded with the cell's seed unless the registry gives it one."""
    head = registry.build(spec)
    if (
        hasattr(head, "get_params")
        and "random_state" in head.get_params()
        and "random_state" not in spec.params
    ):
        head.set_params(random_state=seed)
    return head  # type: ignore[no-any-return]
