"""Work on a cell: embeddings from the cache, evaluated where the cell is sent."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from bench import catalog
from bench.costs import Meter
from bench.embed import pooling
from bench.embed.cache import Cache, ClipEmbedding
from bench.embed.shards import read_embeddings
from bench.errors import PluginError, UnavailableError, describe
from bench.learn import bundle
from bench.learn.folds import Evaluation, evaluate
from bench.learn.pipeline import Recipe, Shared
from bench.learn.scoring import scores
from bench.runner.planning import FRAMED, Problem, layers
from bench.runner.provenance import versions
from bench.types import Cell, Cost, Embeddings, Frames, Layer, Result, Samples, Status, Usage


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A cell with all that its evaluation needs.

    Parameters
    ----------
    run : str
        What is the same of the units of one run.
    cache : str
        The root of the cache.
    digest : str
        What the cache keeps the extractor's embeddings under.
    clips : np.ndarray, shape=(n_clips,)
        The names of the dataset's clips.
    contents, copies
        As in `Source`.
    device : str
        Where heads that are networks run.
    models : Path | None
        The folder for the fitted models; None if they are not kept.
    """

    run: str
    cell: Cell
    problem: Problem
    cache: str
    digest: str
    clips: npt.NDArray[np.object_]
    contents: Sequence[str]
    copies: Sequence[Sequence[str]]
    device: str
    models: Path | None


def evaluate_cell(work: Work) -> tuple[Result, pd.DataFrame | None]:
    """Return a cell's result, and its predictions if it did not fail.

    One thread computes what several would add up in another order, so that results are the same wherever
    they are computed. Whoever draws from the generators that numpy, torch or Python share draws by the key;
    but on Dask, whose own threads draw from Python's.
    """
    cell = work.cell
    try:
        with Meter() as meter, _reproducibly(work):
            gathered = _gathered(work)
            meter.read()
            evaluation = _evaluated(work, gathered)
            usage = meter.read()
        result, predictions = _outcome(work, gathered, evaluation, usage)
    except UnavailableError as error:
        return unfinished(cell, Status.SKIPPED, str(error)), None
    except (Exception, SystemExit) as error:  # whatever a head raises is its own cell's failure
        return unfinished(cell, Status.FAILED, describe(error)), None
    return (_with_models(work.models, result, evaluation.models) if work.models else result), predictions


def unfinished(cell: Cell, status: Status, reason: str = "") -> Result:
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


@contextmanager
def _reproducibly(work: Work) -> Iterator[None]:
    """Compute in one thread, with random numbers that depend on the cell's key alone."""
    cell = work.cell
    catalog.build(cell.head, cell.seed, work.device)  # imports torch, if the head needs it
    torch = sys.modules.get("torch")
    seed = int(cell.key[:8], 16)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # for estimators that draw from it
    n_threads = torch.get_num_threads() if torch else 0
    if torch:
        torch.manual_seed(seed)
        torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        if torch:
            torch.set_num_threads(n_threads)


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """What one extractor made of one dataset.

    Parameters
    ----------
    good : np.ndarray, shape=(n_clips,), dtype=bool
        Which of the dataset's clips could be decoded; `parts` holds these alone.
    parts : Sequence[Sequence[ClipEmbedding]]
        The clips themselves, and their augmented copies.
    usage : Usage
        What embedding the clips themselves took.
    shared : dict[object, Shared]
        What reducers made of them, for heads that see the same.
    seen : dict[object, Sequence[Samples]]
        Of the view and unit of the last cell: what its head saw of `parts`.
    """

    good: npt.NDArray[np.bool_]
    parts: Sequence[Sequence[ClipEmbedding]]
    audio_s: float
    usage: Usage
    shared: dict[object, Shared] = field(default_factory=dict)
    seen: dict[object, Sequence[Samples]] = field(default_factory=dict)


_last: dict[object, _Gathered] = {}
"""What this process gathered last: the cells of an extractor come one after the other."""


def _gathered(work: Work) -> _Gathered:
    """Return the embeddings in the dataset's order."""
    framed = layers(work.cell)
    key = (work.run, work.cell.dataset, work.digest, frozenset(framed))
    if key not in _last:
        _last.clear()
        _last[key] = _read(work, framed)
    return _last[key]


def _read(work: Work, framed: set[Layer]) -> _Gathered:
    """Return the embeddings that the cache has."""
    passes = [work.contents, *work.copies]
    wanted = {content for contents in passes for content in contents if content}
    found = read_embeddings(Cache(work.cache), work.digest, wanted, framed)
    good = np.array([all(content in found for content in of_clip) for of_clip in zip(*passes, strict=True)])
    parts = [
        [found[content] for content, known in zip(contents, good, strict=True) if known]
        for contents in passes
    ]
    usage = Usage.total([row.usage for row in parts[0]])
    return _Gathered(good, parts, sum(row.audio_s for row in parts[0]), usage)


def _evaluated(work: Work, gathered: _Gathered) -> Evaluation:
    """Return what a cell's head predicts."""
    cell, problem = work.cell, work.problem
    X, *copies = _samples(cell, gathered)
    y, split = problem.y[gathered.good], problem.split.take(gathered.good)
    recipe = Recipe(
        head=partial(catalog.build, cell.head, cell.seed, work.device),
        unit=cell.head.unit,
        steps=[(spec.name, partial(catalog.build, spec, cell.seed)) for spec in cell.steps],
        scaled=cell.head.scale,
        grid=cell.head.grid,
        train_size=cell.train_size,
    )
    seen = (cell.task.name, cell.view, cell.head.unit, cell.seed, cell.train_size)
    shared = gathered.shared.setdefault(seen, Shared())
    return evaluate(X, y, split, recipe, time.perf_counter, copies, shared)


def _outcome(
    work: Work, gathered: _Gathered, evaluation: Evaluation, usage: Usage
) -> tuple[Result, pd.DataFrame]:
    """Return a cell's result and its predictions."""
    cell, problem = work.cell, work.problem
    predictions = evaluation.predictions.rename(columns={"row": "clip"})
    rows = predictions["clip"].to_numpy()
    parent = None if problem.parent is None else problem.parent[gathered.good][rows]
    predictions["clip"] = work.clips[gathered.good][rows]
    predictions.insert(2, "group", problem.split.groups[problem.split.group][gathered.good][rows])
    cost = Cost.of(
        gathered.usage,
        usage,
        audio_s=gathered.audio_s,
        fit_s=evaluation.fit_s,
        predict_s=evaluation.predict_s,
        dim=_samples(cell, gathered)[0][0].shape[-1],
        params=gathered.parts[0][0].params,
    )
    result = replace(
        unfinished(cell, Status.OK),
        scores=scores(predictions, cell.task.metrics, parent),
        n_train=evaluation.n_train,
        n_test=len(predictions),
        n_classes=predictions["y_true"].nunique(),
        n_groups=predictions["group"].nunique(),
        n_bad=int((~gathered.good).sum()),
        cost=cost,
        env=versions(["scikit-learn", *cell.extractor.requires, *cell.head.requires]),
        tuned=tuple(evaluation.chosen),
        split_digest=problem.fingerprint,
    )
    return result, predictions


def _samples(cell: Cell, gathered: _Gathered) -> Sequence[Samples]:
    """Return what the cell's head sees of the clips and of each of their copies."""
    view = (cell.view, cell.head.unit)
    if view not in gathered.seen:
        gathered.seen.clear()  # the cells of a view come one after the other too
        gathered.seen[view] = [_seen(cell, part) for part in gathered.parts]
    return gathered.seen[view]


def _seen(cell: Cell, rows: Sequence[ClipEmbedding]) -> Embeddings | Sequence[Frames]:
    """Return what the cell's head sees of clips."""
    if cell.head.unit in FRAMED:
        return [row.frames[cell.view.layer] for row in rows]
    if cell.head.unit == "layers":
        return pooling.every_layer([row.statistics for row in rows], cell.view)
    return pooling.select([row.statistics for row in rows], cell.view)


def _with_models(folder: Path, result: Result, fitted: Mapping[str, Pipeline]) -> Result:
    """Keep what was fitted, and return the result, with the reason if that could not be kept."""
    try:
        bundle.save(folder, result, fitted)
    except PluginError as error:
        return replace(result, reason=str(error))
    return result
