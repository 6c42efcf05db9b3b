"""Cells -> results: every clip embedded once, every result kept as soon as it is there."""

from __future__ import annotations

import dataclasses
import os
import platform
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

import bench
from bench import audio, registry, types, views
from bench.cache import Cache, Embedded
from bench.errors import BenchError, ClipError, PluginError, UnavailableError
from bench.evaluate import evaluate, score
from bench.runner.planning import Plan, Problem, Request, Source
from bench.store import Store
from bench.types import Audio, Cell, Clip, Cost, Extractor, Head, Result, Spec, Status

BATCH = 32
"""Clips per batch: what a kill can lose of an embedding."""


@dataclass(slots=True)
class Counters:
    """What a run did, for run.json."""

    cells_planned: int = 0
    cells_computed: int = 0
    cells_reused: int = 0
    cells_failed: int = 0
    cells_skipped: int = 0
    clips_decoded: int = 0
    clips_embedded: int = 0
    clips_cached: int = 0
    seconds: float = 0.0


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
        self.store.write_run(_record(self.plan, self.request, self.counters, finished=False))
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
        self.store.write_run(_record(self.plan, self.request, self.counters, finished=True))
        return self.counters

    def _reusable(self, cell: Cell) -> bool:
        """Return whether the store has the cell, made of as many clips as this run asks for."""
        result = self.known.get(cell.key)
        n_clips = len(self.plan.sources[cell.dataset].contents)
        return bool(result and result.status == Status.OK and result.n_bad <= self.request.allow_bad * n_clips)

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
                self._keep(_unfinished(cell, Status.FAILED, _cause(error)))
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
        by_content = dict(zip(reversed(source.contents), reversed(source.dataset.clips()), strict=True))
        todo = {content: clip for content, clip in by_content.items() if content and content not in embedded}
        self.counters.clips_cached += sum(content in embedded for content in by_content)
        bad: dict[str, str] = {}
        if todo:
            extractor = _extractor(spec)
            for first in range(0, len(todo), BATCH):
                batch = dict(list(todo.items())[first : first + BATCH])
                made = _embed_batch(extractor, spec, self._decode(batch, extractor.sample_rate, bad))
                if made:
                    self.cache.write(digest, made)
                embedded.update(made)
                self.counters.clips_embedded += len(made)
                self.observer.embedded(source.dataset.name, spec.name, first + len(batch), len(todo))
        clips = zip(source.dataset.clips(), source.contents, strict=True)
        undecodable = {clip.id: bad[content] for clip, content in clips if content in bad}
        self.store.write_bad_clips(source.dataset.name, {**source.unreadable, **undecodable})
        return embedded

    def _decode(self, batch: Mapping[str, Clip], sample_rate: int, bad: dict[str, str]) -> dict[str, Audio]:
        """Return the batch's audio; what cannot be decoded goes into `bad`, with the reason."""
        decoded = {}
        for content, clip in batch.items():
            try:
                decoded[content] = audio.read(clip, sample_rate)
            except ClipError as error:
                bad[content] = str(error)
        self.counters.clips_decoded += len(decoded)
        return decoded

    def _refuse_too_many_bad(self, source: Source, embedded: Mapping[str, Embedded]) -> None:
        """Raise ClipError if more clips are undecodable than the request allows."""
        n_bad, n_clips = sum(content not in embedded for content in source.contents), len(source.contents)
        if n_bad > self.request.allow_bad * n_clips or n_bad == n_clips:
            raise ClipError(
                f"{n_bad} of {n_clips} clips of {source.dataset.name} cannot be decoded, more than "
                f"{self.request.allow_bad:.1%}; mend what {self.store.bad_clips_path.name} lists or raise --allow-bad"
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
        env={**_versions(["scikit-learn", *cell.extractor.requires, *cell.head.requires])},
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


def _cause(error: Exception) -> str:
    """Return an error in one line: a user's own as it is, a bug's with where it was raised."""
    if isinstance(error, BenchError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({Path(frame.filename).name}:{frame.lineno})"


def _head(spec: Spec, seed: int) -> Head:
    """Return a fresh head; one that draws random numbers, and is not told its seed by the registry, gets the cell's."""
    head = registry.build(spec)
    if hasattr(head, "get_params") and "random_state" in head.get_params() and "random_state" not in spec.params:
        head.set_params(random_state=seed)
    return head  # type: ignore[no-any-return]


def _extractor(spec: Spec) -> Extractor:
    extractor = registry.build(spec)
    if not isinstance(extractor, Extractor):
        raise PluginError(f"extractor '{spec.name}' ({spec.factory}) lacks sample_rate, dim or embed")
    return extractor


def _embed_batch(extractor: Extractor, spec: Spec, decoded: Mapping[str, Audio]) -> dict[str, Embedded]:
    """Return the embeddings of a batch: content digest -> embedding, the batch's time shared out by length."""
    if not decoded:
        return {}
    start = time.perf_counter()
    try:
        frames = list(extractor.embed(list(decoded.values())))
    except Exception as error:  # whatever a plugin raises fails its own cells
        raise PluginError(f"extractor '{spec.name}': {_cause(error)}") from error
    seconds = time.perf_counter() - start
    if len(frames) != len(decoded):
        raise PluginError(f"extractor '{spec.name}' returned {len(frames)} arrays for {len(decoded)} clips")
    n_samples = sum(samples.size for samples in decoded.values())
    made = {}
    for (content, samples), array in zip(decoded.items(), frames, strict=True):
        try:
            statistics = views.summarise(array, extractor.dim)
        except PluginError as error:
            raise PluginError(f"extractor '{spec.name}' {error}") from error
        made[content] = Embedded(statistics, samples.size / extractor.sample_rate, seconds * samples.size / n_samples)
    return made


def _versions(distributions: Sequence[str]) -> dict[str, str]:
    named = {name: version(name) for name in sorted(set(distributions))}
    return {"bench": bench.__version__, "python": platform.python_version(), **named}


def _record(plan: Plan, request: Request, counters: Counters, *, finished: bool) -> Mapping[str, Any]:
    """Return what run.json says: enough for a report to need nothing but the store."""
    return {
        "schema": 1,
        "command": request.command,
        "finished": finished,
        "env": {**_versions(["numpy", "scikit-learn"]), "machine": platform.platform(), "cores": os.cpu_count()},
        "counters": dataclasses.asdict(counters),
        "datasets": {name: _described(source) for name, source in plan.sources.items()},
        "tables": [_table(dataset, problem) for (dataset, _), problem in plan.problems.items()],
        "cells": [cell.key for cell in plan.cells] + [result.key for result in plan.rejected],
    }


def _described(source: Source) -> Mapping[str, Any]:
    dataset = source.dataset
    return {
        "source": dataset.source,
        "version": dataset.version,
        "synthetic": dataset.synthetic,
        "notes": list(dataset.notes),
        "n_clips": len(source.contents),
        "content": types.digest(list(source.contents)),
    }


def _table(dataset: str, problem: Problem) -> Mapping[str, Any]:
    task, split = problem.task, problem.split
    return {
        "dataset": dataset,
        "task": task.name,
        "about": task.about,
        "metrics": list(task.metrics),
        "split": split.label,
        "note": split.note,
        "n_groups": len(np.unique(split.groups[split.group])),
        "n_folds": len(list(split.rounds())),
        "n_classes": len(np.unique(problem.y)),
    }
