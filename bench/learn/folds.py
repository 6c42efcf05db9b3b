"""Task + embeddings + head -> predictions and scores: no disk, no clock, no globals."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import silhouette_samples
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from bench import splits
from bench.errors import PluginError
from bench.learn import aggregation
from bench.learn.pipeline import Recipe, Shared, taken
from bench.types import SCORE_PREFIX, Head, Labels, Samples, Split

SCORED_AT_ONCE = 2**26
"""Comparisons of two classes, in all rows."""

INNER_FOLDS = 3
"""In which a head's parameters are chosen."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a head predicted for every tested clip, and what it took.

    Parameters
    ----------
    predictions : pd.DataFrame
        One row per tested clip: its `row` in the embeddings, `fold`, `y_true`, `y_pred` and, where the head
        gives them, a column ``score_CLASS`` per class (probabilities, or else decision values); of a head
        that sees frames, a column ``votes_CLASS`` per class too; of one that clusters, the `cluster` and the
        clip's `silhouette` in it.
    n_train : int
        Clips that were trained on in at least one fold.
    fit_s, predict_s : float
        Over all folds, in s; reducers count for every head that shares them.
    models : Mapping[str, Pipeline]
        By the fold that each was not trained on.
    chosen : Sequence[Mapping[str, Any]]
        The parameters chosen in each fold, if the head was tuned.
    """

    predictions: pd.DataFrame
    n_train: int
    fit_s: float
    predict_s: float
    models: Mapping[str, Pipeline]
    chosen: Sequence[Mapping[str, Any]]


def evaluate(
    X: Samples,
    y: Labels,
    split: Split,
    recipe: Recipe,
    clock: Callable[[], float],
    copies: Sequence[Samples] = (),
    shared: Shared | None = None,
) -> Evaluation:
    """Return what fresh heads predict for the tested clips of every fold.

    Everything is fitted on the training side of each fold alone: the scaling, the reducers, the head, and the
    choice of its parameters.

    Parameters
    ----------
    X : Samples
        What the recipe's unit asks for: one row per clip, shape=(n_clips, dim) or (n_clips, n_layers, dim);
        or one array per clip, shape=(n_frames, dim), whose frames are learnt from one by one, and voted back
        to the clip, or as a sequence.
    y : Labels
        shape=(n_clips,).
    clock : Callable[[], float]
        Returns the time in s.
    copies : Sequence[Samples]
        Each the same as `X` of changed clips: they are trained on with the clips that they are of, and never
        tested.
    shared : Shared | None
        What other recipes' reducers made of the same arguments.

    Raises
    ------
    SplitError
        If the split leaks, or tests a class that it does not train on.
    PluginError
        If there is one class, the features are not all finite, the head predicts what is no label of the
        training side, or its parameters cannot be chosen.
    """
    splits.check(split, y)
    shared = shared or Shared()
    classes = np.unique(y)
    if len(classes) < 2:
        raise PluginError(f"all clips are of the class '{classes[0]}'; expected two or more")
    framed = recipe.unit == "frame"
    samples, owner, own = _samples(X, copies, framed)
    arrays = [samples] if isinstance(samples, np.ndarray) else samples
    if not all(np.isfinite(array).all() for array in arrays):
        raise PluginError("the features are not all finite, so that no head learns from them")
    group = np.arange(len(y)).astype(str) if split.leaky else splits.join_groups(split.groups)
    tables, trained = [], np.zeros(len(y), dtype=bool)
    models, chosen = {}, []
    fit_s = predict_s = 0.0
    for fold, whole, test in split.rounds():
        train = thinned(whole, y, group, recipe.train_size)
        learnt, asked = np.isin(owner, train), np.isin(owner, test) & own
        X_train, X_test = taken(samples, learnt), taken(samples, asked)
        if recipe.grid:
            start = clock()
            model, best = tuned(recipe, X_train, y[owner[learnt]], group[owner[learnt]])
            chosen.append(best)
            steps, head = model[:-1], model[-1]
            fitted = clock()
            X_test = steps.transform(X_test)
        else:
            made = shared.prepared(recipe, fold, X_train, X_test, clock)
            fit_s += made.fit_s
            predict_s += made.transform_s
            steps, head, X_test = made.steps, recipe.head(), made.X_test
            start = clock()
            head.fit(made.X_train, y[owner[learnt]], **fit_options(head, group[owner[learnt]]))
            fitted = clock()
        y_pred = np.asarray(head.predict(X_test)).astype(str)
        scores = _class_scores(head, X_test, classes)
        predict_s += clock() - fitted
        fit_s += fitted - start
        _refuse_strange(y_pred, y[train], int(asked.sum()))
        trained[train] = True
        models[fold] = Pipeline([*steps.steps, ("head", head)])
        known = {"row": test, "fold": fold, "y_true": y[test]}
        if framed:
            table = pd.DataFrame(known).join(aggregation.of_frames(owner[asked], y_pred, scores, classes))
        else:
            table = pd.DataFrame({**known, "y_pred": y_pred}).join(scores)
            if hasattr(head, "assign"):
                table["cluster"] = cluster = head.assign(X_test)
                apart = 1 < len(np.unique(cluster)) < len(cluster)
                table["silhouette"] = silhouette_samples(X_test, cluster) if apart else 0.0
        tables.append(table)
    predictions = pd.concat(tables, ignore_index=True)
    return Evaluation(predictions, int(trained.sum()), fit_s, predict_s, models, tuple(chosen))


def thinned(rows: npt.NDArray[np.intp], y: Labels, group: Labels, share: float) -> npt.NDArray[np.intp]:
    """Return the rows of a share of the groups of every class: of a larger share, these and others."""
    if share == 1:
        return rows
    names, codes = np.unique(group[rows], return_inverse=True)
    place = np.random.default_rng(0).permutation(len(names))[codes]
    kept = np.zeros(len(rows), dtype=bool)
    for name in np.unique(y[rows]):
        own = y[rows] == name
        order = np.unique(place[own])
        kept |= own & np.isin(place, order[: math.ceil(share * len(order))])
    return rows[kept]


def _samples(
    X: Samples, copies: Sequence[Samples], framed: bool
) -> tuple[Samples, npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Return what a head learns from, the clip that each sample is of, and whether it is of no copy."""
    parts = (X, *copies)
    n_clips = len(X)
    flat = isinstance(X, np.ndarray)
    lengths = [len(array) if framed else 1 for part in parts for array in part]
    owner = np.repeat(np.tile(np.arange(n_clips), len(parts)), lengths)
    own = np.arange(len(owner)) < sum(lengths[:n_clips])
    arrays: Sequence[Any] = parts if flat else [array for part in parts for array in part]
    return np.concatenate(arrays) if flat or framed else arrays, owner, own


def tuned(recipe: Recipe, X: Samples, y: Labels, group: Labels) -> tuple[Pipeline, Mapping[str, Any]]:
    """Return the pipeline with the parameters of the grid that do best in inner folds, and these.

    The inner folds are stratified and share no group; what is best has the highest balanced accuracy over
    them, and is fitted once more on all of X.

    Raises
    ------
    PluginError
        If a class has too few groups for two inner folds.
    """
    per_class = pd.Series(group).groupby(y).nunique()
    if per_class.min() < 2:
        raise PluginError(
            f"cannot be tuned: class '{per_class.idxmin()}' has 1 group to train on; inner folds need 2"
        )
    n_folds = min(INNER_FOLDS, int(per_class.min()))
    inner = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0)
    pipeline = recipe.pipeline()
    grid = {f"head__{name}": list(values) for name, values in recipe.grid.items()}
    search = GridSearchCV(pipeline, grid, scoring="balanced_accuracy", cv=inner, error_score="raise")
    options = {f"head__{name}": value for name, value in fit_options(pipeline[-1], group).items()}
    search.fit(X, y, groups=group, **options)
    best = {name.removeprefix("head__"): value for name, value in search.best_params_.items()}
    return search.best_estimator_, best


def fit_options(head: Head, group: Labels) -> Mapping[str, Labels]:
    """Return the groups as a keyword, for a head whose `fit` takes them for an inner split of its own."""
    return {"groups": group} if "groups" in inspect.signature(head.fit).parameters else {}


def _refuse_strange(y_pred: Labels, known: Labels, n_samples: int) -> None:
    """Raise PluginError if a head predicted another number of labels, or ones that it was not taught."""
    strange = sorted(set(y_pred.tolist()) - set(known.tolist()))
    if strange or y_pred.shape != (n_samples,):
        raise PluginError(
            f"the head predicted {strange} in shape {y_pred.shape}; expected labels ({n_samples},)"
        )


def _class_scores(head: Any, X: Samples, classes: Labels) -> pd.DataFrame:
    """Return a column of probabilities (or else decision values) per class; none if the head has neither."""
    method = next((name for name in ("predict_proba", "decision_function") if hasattr(head, name)), None)
    if method is None:
        return pd.DataFrame(index=range(len(X)))
    # An SVC compares every two classes, for every row at once.
    n_rows = max(1, SCORED_AT_ONCE // len(classes) ** 2)
    parts = [getattr(head, method)(X[start : start + n_rows]) for start in range(0, len(X), n_rows)]
    values: npt.NDArray[Any] = np.concatenate(parts).astype(np.float64)
    if values.ndim == 1:  # of two classes, a decision function gives the second one's value alone
        values = np.column_stack([-values, values])
    known = pd.DataFrame(values, columns=[str(c) for c in head.classes_])
    return known.reindex(columns=[str(c) for c in classes]).add_prefix(SCORE_PREFIX)
