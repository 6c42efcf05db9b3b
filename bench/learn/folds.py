"""Examples and a pipeline -> predictions of every fold, and a pipeline fitted to all clips.

This module reads no disk and no clock.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import silhouette_samples
from sklearn.pipeline import Pipeline

from bench import splits
from bench.errors import PluginError, SplitError
from bench.learn import shortage
from bench.learn.pipeline import PipelineSpec, ReducerCache, selected_layer, with_head
from bench.learn.prediction import check_samples_apart, clip_predictions, sample_predictions
from bench.learn.samples import Examples, Fold, Rows, SampleTable
from bench.learn.stopwatch import Stopwatch
from bench.learn.tuning import fit_options, tune
from bench.types import Head, Labels, Samples, Split, Unit

ALL = "all"
"""Name of the model that is fitted to all clips, beside the names of the folds."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Predictions of every fold, with their cost and the fitted models.

    Parameters
    ----------
    predictions : pd.DataFrame
        One row per tested clip: its `row` in the examples, `fold`, `y_true`, `y_pred`, and, if the head gives
        scores, ``score_CLASS`` for every class (probabilities, or else decision values). For a head that sees
        frames also ``votes_CLASS``; for a head that clusters also `cluster` and the clip's `silhouette`.
    n_train : int
        Number of clips that at least one fold trains on.
    fit_s, predict_s : float
        Time of all folds, in s; the time of reducers counts for every head that shares them.
    models : Mapping[str, Pipeline]
        Fold -> the model that is tested on it.
    parameters : Sequence[Mapping[str, Any]]
        Parameters of every fold's head, if it was tuned.
    """

    predictions: pd.DataFrame
    n_train: int
    fit_s: float
    predict_s: float
    models: Mapping[str, Pipeline]
    parameters: Sequence[Mapping[str, Any]]

    @property
    def layers(self) -> tuple[int, ...]:
        """Return the layer of every fold's model; empty if inner folds choose none."""
        layers = map(selected_layer, self.models.values())
        return tuple(layer for layer in layers if layer is not None)


@dataclass(frozen=True, slots=True, eq=False)
class FoldModel:
    """A pipeline fitted to the training side of a fold.

    Parameters
    ----------
    X_test : Samples
        Test side as the head sees it, after scaling and reducers.
    parameters : Mapping[str, Any] | None
        Parameters chosen by tuning; None without tuning.
    """

    pipeline: Pipeline
    X_test: Samples
    parameters: Mapping[str, Any] | None = None


def evaluate(
    examples: Examples,
    spec: PipelineSpec,
    clock: Callable[[], float],
    cache: ReducerCache | None = None,
    *,
    checks_apart: bool = True,
) -> Evaluation:
    """Return the predictions of a fresh pipeline for the tested clips of every fold.

    Scaling, reducers, head and the choice of its parameters are fitted to the training side alone.

    Parameters
    ----------
    clock : Callable[[], float]
        Returns the time in s.
    cache : ReducerCache | None
        Reducers that other heads fitted to the same examples.
    checks_apart : bool
        Whether to look if predictions depend on other clips, which once per pipeline shows.

    Raises
    ------
    SplitError
        If the split leaks, or tests a class that it does not train on.
    PluginError
        If there is one class, a feature is not finite, the head predicts a label that it was not trained on,
        its predictions depend on the other clips that it predicts, or its parameters cannot be chosen.
    """
    y, split = examples.y, examples.split
    splits.check(split, y)
    classes, samples = _classes(y), _samples(examples, spec.unit)
    group, stopwatch, cache = groups_of(split), Stopwatch(clock), cache or ReducerCache()
    is_trained = np.zeros(len(y), dtype=bool)
    tables: list[pd.DataFrame] = []
    models, parameters = {}, []
    for name, candidates, test in split.rounds():
        train = training_part(candidates, y, group, spec.train_size)
        fold = _fold(name, samples, (train, test), y, group)
        with shortage.named(fold, spec, len(train)):
            model = fit_fold(fold, spec, stopwatch, cache)
            table = predict_fold(fold, model, spec.unit, classes, stopwatch)
            if checks_apart and not tables:
                check_samples_apart(model.pipeline[-1], model.X_test, classes)
        table.insert(0, "row", test)
        table.insert(1, "fold", name)
        table.insert(2, "y_true", y[test])
        tables.append(table)
        models[name] = model.pipeline
        parameters += [model.parameters] if model.parameters is not None else []
        is_trained[train] = True
    return Evaluation(
        predictions=pd.concat(tables, ignore_index=True),
        n_train=int(is_trained.sum()),
        fit_s=stopwatch.seconds["fit"],
        predict_s=stopwatch.seconds["predict"],
        models=models,
        parameters=tuple(parameters),
    )


def fit_all(examples: Examples, spec: PipelineSpec) -> Pipeline:
    """Return a pipeline fitted to every clip that the split trains or tests on, as a fold fits its own.

    Raises
    ------
    SplitError
        If a fold has the name of this model.
    PluginError
        See `evaluate`.
    """
    y, split = examples.y, examples.split
    if ALL in split.fold:
        raise SplitError(
            f"split '{split.name}' has a fold '{ALL}', the name of the model of all clips; rename the fold"
        )
    _classes(y)
    group = groups_of(split)
    clips = training_part(np.flatnonzero(split.fold != "dev"), y, group, spec.train_size)
    train = _samples(examples, spec.unit).training(clips)
    y_train, group_train = y[train.clip], group[train.clip]
    if spec.candidates:
        return tune(spec, train.X, y_train, group_train)[0]
    steps = spec.feature_steps()
    return with_head(steps, _fit_head(spec, steps.fit_transform(train.X), y_train, group_train))


def fit_fold(fold: Fold, spec: PipelineSpec, stopwatch: Stopwatch, cache: ReducerCache) -> FoldModel:
    """Return a pipeline fitted to the training side of a fold, and the test side as its head sees it."""
    if spec.candidates:
        with stopwatch.measure("fit"):
            pipeline, parameters = tune(spec, fold.train.X, fold.y_train, fold.group_train)
        with stopwatch.measure("predict"):
            X_test = pipeline[:-1].transform(fold.test.X)
        return FoldModel(pipeline, X_test, parameters if spec.grid else None)
    fitted = cache.fit(spec, fold, stopwatch.clock)
    stopwatch.add(fitted.seconds)
    with stopwatch.measure("fit"):
        head = _fit_head(spec, fitted.X_train, fold.y_train, fold.group_train)
    return FoldModel(with_head(fitted.steps, head), fitted.X_test)


def predict_fold(
    fold: Fold, model: FoldModel, unit: Unit, classes: Labels, stopwatch: Stopwatch
) -> pd.DataFrame:
    """Return one row per tested clip, in ascending order: `y_pred`, and the scores, votes and clusters.

    Raises
    ------
    PluginError
        If the head predicts another number of labels, or a label that it was not trained on.
    """
    head = model.pipeline[-1]
    with stopwatch.measure("predict"):
        y_pred, scores = sample_predictions(head, model.X_test, classes)
    unknown = sorted(set(y_pred.tolist()) - set(fold.y_train.tolist()))
    if unknown or y_pred.shape != fold.test.clip.shape:
        raise PluginError(
            f"the head predicted {unknown} in shape {y_pred.shape}; expected labels of its training side in "
            f"shape {fold.test.clip.shape}"
        )
    table = clip_predictions(unit, fold.test.clip, y_pred, scores, classes)
    if unit != "frame" and hasattr(head, "assign"):
        cluster = head.assign(model.X_test)
        table["cluster"] = cluster
        has_silhouette = 1 < len(np.unique(cluster)) < len(cluster)
        table["silhouette"] = silhouette_samples(model.X_test, cluster) if has_silhouette else 0.0
    return table


def training_part(clips: Rows, y: Labels, group: Labels, share: float) -> Rows:
    """Return the clips of a share of the groups of every class; a larger share includes a smaller one.

    Parameters
    ----------
    y, group : Labels
        Of all clips, shape=(n_clips,).
    share : float
        In (0, 1].
    """
    if share == 1:
        return clips
    names, codes = np.unique(group[clips], return_inverse=True)
    rank = np.random.default_rng(0).permutation(len(names))[codes]
    is_in = np.zeros(len(clips), dtype=bool)
    for label in np.unique(y[clips]):
        is_label = y[clips] == label
        ranks = np.unique(rank[is_label])
        is_in |= is_label & np.isin(rank, ranks[: math.ceil(share * len(ranks))])
    return clips[is_in]


def _classes(y: Labels) -> Labels:
    """Return the sorted classes of the clips with a label; raise PluginError if there is one class."""
    classes = np.unique(y[y != ""])
    if len(classes) < 2:
        raise PluginError(f"all clips are of the class '{classes[0]}'; expected two classes or more")
    return classes


def _samples(examples: Examples, unit: Unit) -> SampleTable:
    """Return the samples; raise PluginError if a value is not finite."""
    samples = SampleTable.of(examples.X, examples.copies, unit)
    if not samples.is_finite:
        raise PluginError("the features hold NaN or infinite values; expected finite values")
    return samples


def groups_of(split: Split) -> Labels:
    """Return the group of every clip; on a leaky split, every clip is a group."""
    return np.arange(len(split.fold)).astype(str) if split.leaky else splits.join_groups(split.groups)


def _fold(name: str, samples: SampleTable, sides: tuple[Rows, Rows], y: Labels, group: Labels) -> Fold:
    """Return the samples of a fold, given its training clips and its test clips."""
    train, test = samples.training(sides[0]), samples.testing(sides[1])
    return Fold(name=name, train=train, y_train=y[train.clip], group_train=group[train.clip], test=test)


def _fit_head(spec: PipelineSpec, X: Samples, y: Labels, group: Labels) -> Head:
    """Return a fresh head fitted to samples."""
    head = spec.head()
    head.fit(X, y, **fit_options(head, group))
    return head
