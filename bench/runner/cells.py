"""One cell: embeddings from the cache -> predictions and scores, in the process that the cell is sent to."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from bench import catalog
from bench.costs import Meter
from bench.embed import pooling
from bench.embed.cache import Cache, ClipEmbedding
from bench.embed.shards import read_embeddings
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
from bench.runner.planning import FRAMED, Problem
from bench.runner.provenance import versions
from bench.sharing import without_folders
from bench.types import Cell, Cost, Embeddings, Frames, Permutations, Result, Samples, Status, TaskId, Usage


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A cell with everything that its evaluation needs.

    Parameters
    ----------
    run : str
        A token that the units of one run share.
    cache : str
        Root of the cache.
    digest : str
        Digest that the cache keeps the extractor's embeddings under.
    identity : Mapping[str, Any]
        Everything that changes the extractor's embeddings.
    clips : np.ndarray, shape=(n_clips,)
        Names of the dataset's clips.
    contents, copies
        See `Source`.
    bad : frozenset[str]
        Contents that cannot be decoded.
    device : str
        Device of heads that are networks.
    models : Path | None
        Folder for the fitted models; None if they are not saved.
    folders : tuple[str, ...]
        Folders of this machine, which their card does not name.
    select : bool
        Whether to score the head in inner folds too.
    """

    run: str
    cell: Cell
    problem: Problem
    cache: str
    digest: str
    identity: Mapping[str, Any]
    clips: npt.NDArray[np.object_]
    contents: Sequence[str]
    copies: Sequence[Sequence[str]]
    bad: frozenset[str]
    device: str
    models: Path | None
    folders: tuple[str, ...]
    select: bool = False


def evaluate_cell(work: Work) -> tuple[Result, pd.DataFrame | None]:
    """Return a cell's result, and its predictions unless it failed.

    A single thread computes, since several threads would add up in another order: results are the same on
    every executor. The random generators that numpy, torch and Python share are seeded by the cell's key; on
    Dask, whose threads draw from Python's generator, that one is not reproducible.
    """
    cell = work.cell
    try:
        with Meter() as meter, _reproducibly(work):
            extraction = _extraction(work)
            meter.read()
            evaluation = _evaluation(work, extraction)
            usage = meter.read()
            permuted = _permutations(work, extraction)
        result, predictions = _outcome(work, extraction, evaluation, usage)
        result = replace(result, permutations=permuted)
    except UnavailableError as error:
        return unfinished(cell, Status.SKIPPED, str(error)), None
    except (Exception, SystemExit) as error:  # whatever a head raises is the failure of its own cell
        return unfinished(cell, Status.FAILED, describe(error)), None
    if work.select:
        result = _with_inner_scores(work, extraction, result)
    if work.models:
        result = _with_models(work, work.models, extraction, evaluation, result)
    return result, predictions


def unfinished(cell: Cell, status: Status, reason: str = "") -> Result:
    """Return the result of a cell without scores."""
    return Result(
        key=cell.key,
        dataset=cell.dataset,
        task=TaskId(cell.task.name),
        extractor=cell.extractor.name,
        view=cell.view,
        head=cell.head.name,
        seed=cell.seed,
        split=cell.split,
        status=status,
        synthetic=cell.synthetic,
        preprocess=cell.preprocess,
        augmentation=cell.augmentation,
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
class _Extraction:
    """Embeddings of one dataset by one extractor.

    Parameters
    ----------
    decodable : np.ndarray, shape=(n_clips,), dtype=bool
        Clips of the dataset that can be decoded; `passes` holds these alone.
    passes : Sequence[Sequence[ClipEmbedding]]
        Embeddings of the clips, then of each set of augmented copies.
    usage : Usage
        Cost of embedding the clips.
    reducers : dict[object, ReducerCache]
        Fitted reducers for heads that see the same samples.
    samples : dict[object, Sequence[Samples]]
        What the head of the last cell sees of `passes`, by its view and unit.
    """

    decodable: npt.NDArray[np.bool_]
    passes: Sequence[Sequence[ClipEmbedding]]
    audio_s: float
    usage: Usage
    reducers: dict[object, ReducerCache] = field(default_factory=dict)
    samples: dict[object, Sequence[Samples]] = field(default_factory=dict)


_last: dict[object, _Extraction] = {}
"""The last extraction of this process: the cells of an extractor follow each other."""


def _extraction(work: Work) -> _Extraction:
    """Return the embeddings in the order of the dataset."""
    key = (work.run, work.cell.dataset, work.digest, work.cell.view)
    if key not in _last:
        _last.clear()
        _last[key] = _read(work)
    return _last[key]


def _read(work: Work) -> _Extraction:
    """Return the embeddings in the cache.

    Raises
    ------
    UsageError
        If embeddings were removed or damaged since the clips were embedded.
    """
    passes = [work.contents, *work.copies]
    contents = {content for one_pass in passes for content in one_pass if content}
    by_content = read_embeddings(Cache(work.cache), work.digest, contents, {work.cell.view})
    lost = contents - by_content.keys() - work.bad
    if lost:
        raise UsageError(
            f"{work.cache}: lost {len(lost)} embeddings of '{work.cell.extractor.name}' during the run; "
            "run the same command again"
        )
    decodable = np.array(
        [all(content in by_content for content in clip) for clip in zip(*passes, strict=True)]
    )
    embeddings = [
        [by_content[content] for content, is_there in zip(one_pass, decodable, strict=True) if is_there]
        for one_pass in passes
    ]
    return _Extraction(
        decodable=decodable,
        passes=embeddings,
        audio_s=sum(row.audio_s for row in embeddings[0]),
        usage=Usage.total([row.usage for row in embeddings[0]]),
    )


def _evaluation(work: Work, extraction: _Extraction) -> Evaluation:
    """Return the predictions of a cell's head."""
    cell = work.cell
    key = (cell.task.name, cell.split.repeat, cell.view, cell.head.unit, cell.seed, cell.train_size)
    cache = extraction.reducers.setdefault(key, ReducerCache())
    return evaluate(_examples(work, extraction), _pipeline(work), time.perf_counter, cache)


def _permutations(work: Work, extraction: _Extraction) -> Permutations | None:
    """Return the scores on permuted labels; None if the cell has none."""
    cell = work.cell
    if not cell.n_permutations:
        return None
    metric = METRICS[cell.task.metrics[0]]
    return permutations(_examples(work, extraction), _pipeline(work), metric, cell.n_permutations)


def _examples(work: Work, extraction: _Extraction) -> Examples:
    """Return the decodable clips as the cell's head sees them; raise SplitError if they lack a class."""
    X, *copies = _samples(work.cell, extraction)
    rows, y = extraction.decodable, work.problem.y
    lost = sorted(set(y.tolist()) - set(y[rows].tolist()))
    if lost:
        classes = f"{len(lost)} of {len(set(y.tolist()))} classes"
        fix = "repair the clips listed in bad_clips.csv, or leave these classes out"
        raise SplitError(f"no clip of {shortlist(lost)} can be decoded, {classes}; {fix}")
    return Examples(X=X, y=work.problem.y[rows], split=work.problem.split.take(rows), copies=copies)


def _pipeline(work: Work) -> PipelineSpec:
    """Return the description of the cell's pipeline."""
    cell = work.cell
    return PipelineSpec(
        head=partial(catalog.build, cell.head, cell.seed, work.device),
        unit=cell.head.unit,
        steps=[(spec.name, partial(catalog.build, spec, cell.seed)) for spec in cell.steps],
        scale=cell.head.scale,
        grid=cell.head.grid,
        train_size=cell.train_size,
    )


def _outcome(
    work: Work, extraction: _Extraction, evaluation: Evaluation, usage: Usage
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
        unfinished(cell, Status.OK),
        scores=scores(predictions, cell.task.metrics, parent),
        n_train=evaluation.n_train,
        n_test=len(predictions),
        n_classes=predictions["y_true"].nunique(),
        n_groups=predictions["group"].nunique(),
        n_bad=int((~extraction.decodable).sum()),
        cost=_cost(cell, extraction, evaluation, usage),
        env=versions(["scikit-learn", *cell.extractor.requires, *cell.head.requires]),
        tuned=tuple(evaluation.parameters),
        split_digest=problem.fingerprint,
    )
    return result, predictions


def _cost(cell: Cell, extraction: _Extraction, evaluation: Evaluation, usage: Usage) -> Cost:
    return Cost.of(
        extraction.usage,
        usage,
        audio_s=extraction.audio_s,
        fit_s=evaluation.fit_s,
        predict_s=evaluation.predict_s,
        dim=_samples(cell, extraction)[0][0].shape[-1],
        params=extraction.passes[0][0].params,
    )


def _samples(cell: Cell, extraction: _Extraction) -> Sequence[Samples]:
    """Return what the cell's head sees of the clips and of each set of copies."""
    key = (cell.view, cell.head.unit)
    if key not in extraction.samples:
        extraction.samples.clear()  # the cells of a view follow each other too
        extraction.samples[key] = [_samples_of(cell, rows) for rows in extraction.passes]
    return extraction.samples[key]


def _samples_of(cell: Cell, rows: Sequence[ClipEmbedding]) -> Embeddings | Sequence[Frames]:
    """Return what the cell's head sees of some clips."""
    if cell.head.unit in FRAMED:
        return [row.frames[cell.view.layer] for row in rows]
    statistics = [row.statistics for row in rows]
    if cell.head.unit == "layers":
        return pooling.every_layer(statistics, cell.view)
    return pooling.select(statistics, cell.view)


def _with_inner_scores(work: Work, extraction: _Extraction, result: Result) -> Result:
    """Return the result with the scores of inner folds, or with the reason if there are none."""
    metric = METRICS[work.cell.task.metrics[0]]
    try:
        with _reproducibly(work):
            inner = inner_scores(_examples(work, extraction), _pipeline(work), metric, time.perf_counter)
    except Exception as error:  # whatever a head raises, the scores of its folds are valid
        return replace(result, reason=describe(error))
    return replace(result, inner=inner)


def _with_models(
    work: Work, folder: Path, extraction: _Extraction, evaluation: Evaluation, result: Result
) -> Result:
    """Save the models of the folds and one of all clips; return the result, with the reason if that fails."""
    try:
        examples = _examples(work, extraction)
        with _reproducibly(work):
            models = {**evaluation.models, ALL: fit_all(examples, _pipeline(work))}
        card = BundleCard(
            cell=work.cell,
            extractor_identity=work.identity,
            labels=tuple(np.unique(examples.y[examples.y != ""]).tolist()),
            data_digest=digest(list(work.contents)),
            split_digest=work.problem.fingerprint,
            scores=result.scores,
            env=result.env,
        )
        bundle.save(folder, without_folders(card, work.folders), models)
    except UsageError:
        raise
    except Exception as error:  # whatever a head raises, the scores of its folds are valid
        return replace(result, reason=describe(error))
    return result
