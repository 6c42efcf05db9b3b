"""One cell: embeddings from the cache -> predictions and scores, in the process that the cell is sent to."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from bench import catalog
from bench.costs import Meter
from bench.errors import SplitError, UnavailableError, UsageError, describe, shortlist
from bench.keys import digest
from bench.learn import bundle
from bench.learn.bundle import BundleCard
from bench.learn.folds import ALL, Evaluation, evaluate, fit_all
from bench.learn.nested import inner_scores
from bench.learn.permutations import permutations
from bench.learn.pipeline import PipelineSpec, ReducerCache
from bench.learn.samples import Examples
from bench.learn.scoring import scores
from bench.metrics import METRICS
from bench.runner.extraction import Extraction, Work, extraction_of, samples
from bench.runner.provenance import versions
from bench.sharing import without_folders
from bench.types import Cost, Labels, Permutations, Result, Statistics, Status, Usage


@dataclass(frozen=True, slots=True, eq=False)
class FittedCell:
    """A cell's pipeline fitted to every clip, and these clips without those that cannot be decoded.

    Parameters
    ----------
    statistics : Sequence[Statistics]
        Of every clip, shape=(n_layers, n_statistics, dim).
    y, group : Labels
        Label and group of every clip, shape=(n_clips,).
    seconds : np.ndarray, shape=(n_clips,)
        Length of every clip, in s.
    """

    card: BundleCard
    pipeline: Pipeline
    statistics: Sequence[Statistics]
    y: Labels
    group: Labels
    seconds: npt.NDArray[np.float64]


def evaluate_cell(work: Work) -> tuple[Result, pd.DataFrame | None]:
    """Return a cell's result, and its predictions unless it failed.

    A single thread computes, since several threads would add up in another order: results are the same on
    every executor. The random generators that numpy, torch and Python share are seeded by the cell's key; on
    Dask, whose threads draw from Python's generator, that one is not reproducible.
    """
    cell = work.cell
    try:
        with Meter() as meter, _reproducibly(work):
            extraction = extraction_of(work)
            meter.read()
            evaluation = _evaluation(work, extraction)
            usage = meter.read()
            permuted = _permutations(work, extraction)
        result, predictions = _outcome(work, extraction, evaluation, usage)
        result = replace(result, permutations=permuted)
    except UnavailableError as error:
        return Result.unfinished(cell, Status.SKIPPED, str(error)), None
    except (Exception, SystemExit) as error:  # whatever a head raises is the failure of its own cell
        return Result.unfinished(cell, Status.FAILED, describe(error)), None
    if work.select:
        result = _with_inner_scores(work, extraction, result)
    if work.models:
        result = _with_models(work, work.models, extraction, evaluation, result)
    return result, predictions


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


def _evaluation(work: Work, extraction: Extraction) -> Evaluation:
    """Return the predictions of a cell's head."""
    cell = work.cell
    key = (cell.task.name, cell.split.repeat, cell.view, cell.head.unit, cell.seed, cell.train_size)
    cache = extraction.reducers.setdefault(key, ReducerCache())
    return evaluate(*_inputs(work, extraction), time.perf_counter, cache)


def _permutations(work: Work, extraction: Extraction) -> Permutations | None:
    """Return the scores on permuted labels; None if the cell has none."""
    cell = work.cell
    if not cell.n_permutations:
        return None
    metric = METRICS[cell.task.metrics[0]]
    return permutations(*_inputs(work, extraction), metric, cell.n_permutations)


def _inputs(work: Work, extraction: Extraction) -> tuple[Examples, PipelineSpec]:
    """Return the cell's examples, and the description of its pipeline for them."""
    examples = _examples(work, extraction)
    return examples, _pipeline(work, examples)


def _examples(work: Work, extraction: Extraction) -> Examples:
    """Return the decodable clips as the cell's head sees them; raise SplitError if they lack a class."""
    X, *copies = samples(work, extraction)
    rows, y = extraction.decodable, work.problem.y
    lost = sorted(set(y.tolist()) - set(y[rows].tolist()))
    if lost:
        classes = f"{len(lost)} of {len(set(y.tolist()))} classes"
        fix = "repair the clips listed in bad_clips.csv, or leave these classes out"
        raise SplitError(f"no clip of {shortlist(lost)} can be decoded, {classes}; {fix}")
    return Examples(X=X, y=work.problem.y[rows], split=work.problem.split.take(rows), copies=copies)


def _pipeline(work: Work, examples: Examples) -> PipelineSpec:
    """Return the description of the cell's pipeline for some examples."""
    cell = work.cell
    return PipelineSpec(
        head=partial(catalog.build, cell.head, cell.seed, work.device),
        unit=cell.head.unit,
        steps=[(spec.name, partial(catalog.build, spec, cell.seed)) for spec in cell.steps],
        scale=cell.head.scale,
        limit=cell.head.limit,
        grid=cell.head.grid,
        train_size=cell.train_size,
        n_layers=np.shape(examples.X)[1] if cell.view.layer == "best" else 0,
    )


def _outcome(
    work: Work, extraction: Extraction, evaluation: Evaluation, usage: Usage
) -> tuple[Result, pd.DataFrame]:
    """Return a cell's result and its predictions."""
    cell, problem = work.cell, work.problem
    predictions = evaluation.predictions.rename(columns={"row": "clip"})
    rows = predictions["clip"].to_numpy()
    parent = None if problem.parent is None else problem.parent[extraction.decodable][rows]
    predictions["clip"] = work.clips[extraction.decodable][rows]
    group = problem.split.groups[problem.split.group]
    predictions.insert(2, "group", group[extraction.decodable][rows])
    result = replace(
        Result.unfinished(cell, Status.OK),
        scores=scores(predictions, cell.task.metrics, parent),
        n_train=evaluation.n_train,
        n_test=len(predictions),
        n_classes=predictions["y_true"].nunique(),
        n_groups=predictions["group"].nunique(),
        n_bad=int((~extraction.decodable).sum()),
        cost=_cost(work, extraction, evaluation, usage),
        env=versions(["scikit-learn", *cell.extractor.requires, *cell.head.requires]),
        tuned=tuple(evaluation.parameters),
        layers=evaluation.layers,
        split_digest=problem.fingerprint,
    )
    return result, predictions


def _cost(work: Work, extraction: Extraction, evaluation: Evaluation, usage: Usage) -> Cost:
    clips = extraction.passes[0]
    return Cost.of(
        extraction.usage,
        usage,
        audio_s=extraction.audio_s,
        fit_s=evaluation.fit_s,
        predict_s=evaluation.predict_s,
        dim=samples(work, extraction)[0][0].shape[-1],
        params=clips[0].params,
        threads=max((clip.threads for clip in clips if clip.threads), default=None),
    )


def _with_inner_scores(work: Work, extraction: Extraction, result: Result) -> Result:
    """Return the result with the scores of inner folds, or with the reason if there are none."""
    metric = METRICS[work.cell.task.metrics[0]]
    try:
        with _reproducibly(work):
            inner = inner_scores(*_inputs(work, extraction), metric, time.perf_counter)
    except Exception as error:  # whatever a head raises, the scores of its folds are valid
        return replace(result, reason=describe(error))
    return replace(result, inner=inner)


def fit(work: Work, result: Result) -> FittedCell:
    """Return a cell's pipeline fitted to every clip, and what it was fitted to.

    Raises
    ------
    SplitError, PluginError
        As of `learn.folds.fit_all`.
    """
    extraction = extraction_of(work)
    card, pipeline = _fitted(work, extraction, result)
    rows = extraction.decodable
    split = work.problem.split
    return FittedCell(
        card=card,
        pipeline=pipeline,
        statistics=[row.statistics for row in extraction.passes[0]],
        y=work.problem.y[rows],
        group=split.groups[split.group][rows],
        seconds=np.array([row.audio_s for row in extraction.passes[0]]),
    )


def _fitted(work: Work, extraction: Extraction, result: Result) -> tuple[BundleCard, Pipeline]:
    """Return the pipeline of all clips, and its card, which names no folder of this machine."""
    examples, spec = _inputs(work, extraction)
    with _reproducibly(work):
        pipeline = fit_all(examples, spec)
    card = BundleCard(
        cell=work.cell,
        extractor_identity=work.identity,
        labels=tuple(np.unique(examples.y[examples.y != ""]).tolist()),
        data_digest=digest(list(work.contents)),
        split_digest=work.problem.fingerprint,
        scores=result.scores,
        env=result.env,
    )
    return without_folders(card, work.folders), pipeline


def _with_models(
    work: Work, folder: Path, extraction: Extraction, evaluation: Evaluation, result: Result
) -> Result:
    """Save the models of the folds and one of all clips; return the result, with the reason if that fails."""
    try:
        card, pipeline = _fitted(work, extraction, result)
        bundle.save(folder, card, {**evaluation.models, ALL: pipeline})
    except UsageError:
        raise
    except Exception as error:  # whatever a head raises, the scores of its folds are valid
        return replace(result, reason=describe(error))
    return result
