"""Cells -> results: every clip embedded once, every result kept as soon as it is there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from bench import augment, models, registry, views
from bench.cache import Cache, Embedded
from bench.errors import ClipError, PluginError, UnavailableError
from bench.evaluate import Evaluation, evaluate
from bench.pipeline import Recipe, Shared
from bench.runner.cached import Embedder, Listener
from bench.runner.embedding import cause
from bench.runner.outlook import reusable
from bench.runner.planning import Plan, Problem
from bench.runner.record import Counters, fold_table, record, versions
from bench.runner.request import Request
from bench.runner.scoring import scores
from bench.runner.sources import Source
from bench.store import Store
from bench.types import Cell, Cost, Embeddings, Frames, Result, Status

FRAMED = ("frame", "sequence")
"""The units that see frames."""


class Observer(Listener, Protocol):
    """Who is told how a run goes."""

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
        self.observer = observer
        self.counters = Counters(cells_planned=len(plan.cells) + len(plan.rejected))
        self.embedder = Embedder(cache, augment.parse(request.augment), observer, self.counters)
        self.known = store.results()
        self.done = 0

    def run(self) -> Counters:
        start = time.perf_counter()
        started = record(self.plan, self.request, self.counters, finished=False)
        self.store.write_run(started)
        for name, source in self.plan.sources.items():
            self.store.write_labels(name, source.dataset.table[["clip", *source.dataset.labels]])
        for (dataset, task), problem in self.plan.problems.items():
            self.store.write_split(dataset, task, fold_table(self.plan.sources[dataset], problem))
        there = reusable(self.plan, self.request, self.store)
        groups: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.plan.cells:
            if cell.key in there:
                self.counters.cells_reused += 1
                self.done += 1
            else:
                groups.setdefault((cell.dataset, cell.extractor.name), []).append(cell)
        for result in self.plan.rejected:
            self._keep(result)
        for (dataset, _), cells in groups.items():
            self._compute(self.plan.sources[dataset], cells)
        self.counters.seconds = round(time.perf_counter() - start, 3)
        self.store.write_run({**started, "finished": True, "counters": asdict(self.counters)})
        return self.counters

    def _compute(self, source: Source, cells: Sequence[Cell]) -> None:
        """Embed a dataset with one extractor, then compute the cells that share the embeddings."""
        try:
            framed = {cell.view.layer for cell in cells if cell.head.unit in FRAMED}
            spec = cells[0].extractor
            digest = self.plan.digests[spec.name]
            embedded, bad = self.embedder.embeddings(source, spec, digest, framed)
            self.store.write_bad_clips(source.dataset.name, bad)
            gathered = self._gather(source, embedded)
        except (PluginError, ClipError, UnavailableError) as error:
            status = Status.SKIPPED if isinstance(error, UnavailableError) else Status.FAILED
            for cell in cells:
                self._keep(_unfinished(cell, status, str(error)))
            return
        shared: dict[object, Shared] = {}
        for cell in cells:
            if self.observer.stopping:
                raise KeyboardInterrupt
            problem = self.plan.problems[cell.dataset, cell.task.name]
            seen = (cell.task.name, cell.view, cell.head.unit, cell.seed, cell.train_size)
            reduced = shared.setdefault(seen, Shared())
            try:
                evaluation = _evaluated(cell, problem, gathered, reduced, self.request.device)
                result, predictions = _outcome(cell, problem, gathered, evaluation)
            except Exception as error:  # whatever a head raises is its own cell's failure
                self._keep(_unfinished(cell, Status.FAILED, cause(error)))
            else:
                self.counters.cells_computed += 1
                if self.request.save_models:
                    result = self._keep_models(result, evaluation.models)
                self._keep(result, predictions)

    def _keep_models(self, result: Result, fitted: Mapping[str, Pipeline]) -> Result:
        """Store what was fitted, and return the result, with the reason if that could not be stored."""
        try:
            models.save(self.store.models_path(result.key), result, fitted)
        except PluginError as error:
            return replace(result, reason=str(error))
        return result

    def _keep(self, result: Result, predictions: pd.DataFrame | None = None) -> None:
        """Store a result, unless the same one without predictions stands there already, and tell of it."""
        self.counters.cells_skipped += result.status == Status.SKIPPED
        self.counters.cells_failed += result.status == Status.FAILED
        if predictions is not None or self.known.get(result.key) != result:
            self.store.append(result, predictions)
        self.done += 1
        self.observer.finished(result, self.done, self.counters.cells_planned)

    def _gather(self, source: Source, embedded: Mapping[str, Embedded]) -> _Gathered:
        """Return the embeddings in the dataset's order.

        Raises
        ------
        ClipError
            If more clips are undecodable than the request allows, or all are.
        """
        good = np.array([content in embedded for content in source.contents])
        n_bad, n_clips = int((~good).sum()), len(good)
        allowed = min(int(self.request.allow_bad * n_clips), n_clips - 1)
        if n_bad > allowed:
            raise ClipError(
                f"{n_bad} of {n_clips} clips of {source.dataset.name} cannot be decoded, and --allow-bad "
                f"allows {allowed}; mend what {self.store.bad_clips_path} lists"
            )
        rows = [embedded[content] for content in source.contents if content in embedded]
        copies = [
            [embedded[content] for content, known in zip(contents, good, strict=True) if known]
            for contents in source.copies
        ]
        return _Gathered(
            good=good,
            clips=source.dataset.table["clip"].to_numpy()[good],
            parts=[rows, *copies],
            audio_s=sum(row.audio_s for row in rows),
            extract_s=sum(row.extract_s for row in rows),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """What one extractor made of one dataset.

    Parameters
    ----------
    good : np.ndarray, shape=(n_clips,), dtype=bool
        Which of the dataset's clips could be decoded; the other fields hold these alone.
    parts : Sequence[Sequence[Embedded]]
        The clips themselves, and their augmented copies.
    """

    good: npt.NDArray[np.bool_]
    clips: npt.NDArray[np.object_]
    parts: Sequence[Sequence[Embedded]]
    audio_s: float
    extract_s: float


def _evaluated(cell: Cell, problem: Problem, gathered: _Gathered, shared: Shared, device: str) -> Evaluation:
    """Return what a cell's head predicts."""
    X, *copies = [_seen(cell, part) for part in gathered.parts]
    y, split = problem.y[gathered.good], problem.split.take(gathered.good)
    recipe = Recipe(
        head=partial(registry.build, cell.head, cell.seed, device),
        unit=cell.head.unit,
        steps=[(spec.name, partial(registry.build, spec, cell.seed)) for spec in cell.steps],
        scaled=cell.head.scale,
        grid=cell.head.grid,
        train_size=cell.train_size,
    )
    return evaluate(X, y, split, recipe, time.perf_counter, copies, shared)


def _outcome(
    cell: Cell, problem: Problem, gathered: _Gathered, evaluation: Evaluation
) -> tuple[Result, pd.DataFrame]:
    """Return a cell's result and its predictions."""
    predictions = evaluation.predictions.rename(columns={"row": "clip"})
    rows = predictions["clip"].to_numpy()
    parent = None if problem.parent is None else problem.parent[gathered.good][rows]
    predictions["clip"] = gathered.clips[rows]
    predictions.insert(2, "group", problem.split.groups[problem.split.group][gathered.good][rows])
    cost = Cost(
        audio_s=round(gathered.audio_s, 3),
        extract_s=round(gathered.extract_s, 4),
        fit_s=round(evaluation.fit_s, 4),
        predict_s=round(evaluation.predict_s, 4),
        dim=_seen(cell, gathered.parts[0][:1])[0].shape[-1],
    )
    result = replace(
        _unfinished(cell, Status.OK),
        scores=scores(predictions, cell.task.metrics, parent),
        n_train=evaluation.n_train,
        n_test=len(predictions),
        n_classes=predictions["y_true"].nunique(),
        n_groups=predictions["group"].nunique(),
        n_bad=int((~gathered.good).sum()),
        cost=cost,
        env=versions(["scikit-learn", *cell.extractor.requires, *cell.head.requires]),
        tuned=tuple(evaluation.chosen),
    )
    return result, predictions


def _seen(cell: Cell, rows: Sequence[Embedded]) -> Embeddings | Sequence[Frames]:
    """Return what the cell's head sees of clips."""
    if cell.head.unit in FRAMED:
        return [row.frames[cell.view.layer] for row in rows]
    if cell.head.unit == "layers":
        return views.every_layer([row.statistics for row in rows], cell.view)
    return views.select([row.statistics for row in rows], cell.view)


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
        synthetic=cell.synthetic,
        preprocess=", ".join(cell.extractor.preprocess),
        augment=cell.augment,
        train_size=cell.train_size,
        reason=reason,
    )
