"""Task + embeddings + head -> predictions and scores: no disk, no clock, no globals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from bench.datasets import splits
from bench.errors import PluginError
from bench.metrics import METRICS
from bench.types import Embeddings, Head, Labels, Score, Split

SCORE_PREFIX = "score_"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a head predicted for every tested clip, and what it took.

    Parameters
    ----------
    predictions : pd.DataFrame
        One row per tested clip: its `row` in the embeddings, `fold`, `y_true`, `y_pred` and, where the head
        gives them, a column ``score_CLASS`` per class (probabilities, or else decision values).
    n_train : int
        Clips that were trained on in at least one fold.
    fit_s, predict_s : float
        Over all folds, in s.
    """

    predictions: pd.DataFrame
    n_train: int
    fit_s: float
    predict_s: float


def evaluate(
    X: Embeddings, y: Labels, split: Split, build_head: Callable[[], Head], clock: Callable[[], float]
) -> Evaluation:
    """Return what fresh heads predict for the tested clips of every fold.

    Features are standardised, and heads fitted, on the training side of each fold alone.

    Parameters
    ----------
    X : Embeddings
        shape=(n_clips, dim).
    y : Labels
        shape=(n_clips,).
    clock : Callable[[], float]
        Returns the time in s.

    Raises
    ------
    SplitError
        If the split leaks, or tests a class that it does not train on.
    PluginError
        If the head predicts what is no label of the training side.
    """
    splits.check(split, y)
    classes = np.unique(y)
    tables, trained = [], np.zeros(len(y), dtype=bool)
    fit_s = predict_s = 0.0
    for fold, train, test in split.rounds():
        pipeline = Pipeline([("scale", StandardScaler()), ("head", build_head())])
        start = clock()
        pipeline.fit(X[train], y[train])
        fitted = clock()
        y_pred = np.asarray(pipeline.predict(X[test])).astype(str)
        scores = _class_scores(pipeline, X[test], classes)
        predict_s += clock() - fitted
        fit_s += fitted - start
        strange = set(y_pred.tolist()) - set(y[train].tolist())
        if strange or y_pred.shape != test.shape:
            raise PluginError(
                f"the head predicted {sorted(strange)} in shape {y_pred.shape}; expected labels {test.shape}"
            )
        trained[train] = True
        table = pd.DataFrame({"row": test, "fold": fold, "y_true": y[test], "y_pred": y_pred})
        tables.append(pd.concat([table, scores], axis=1))
    return Evaluation(pd.concat(tables, ignore_index=True), int(trained.sum()), fit_s, predict_s)


def _class_scores(pipeline: Pipeline, X: Embeddings, classes: Labels) -> pd.DataFrame:
    """Return a column of probabilities (or else decision values) per class; none if the head has neither."""
    method = next((name for name in ("predict_proba", "decision_function") if hasattr(pipeline, name)), None)
    if method is None:
        return pd.DataFrame(index=range(len(X)))
    values: npt.NDArray[Any] = np.asarray(getattr(pipeline, method)(X), dtype=np.float64)
    if values.ndim == 1:  # of two classes, a decision function gives the second one's value alone
        values = np.column_stack([-values, values])
    known = pd.DataFrame(values, columns=[str(c) for c in pipeline.classes_])
    return known.reindex(columns=[str(c) for c in classes]).add_prefix(SCORE_PREFIX)


def score(predictions: pd.DataFrame, metrics: Sequence[str]) -> Mapping[str, Score]:
    """Return each metric over all tested clips, and over those of each fold.

    Parameters
    ----------
    predictions : pd.DataFrame
        With the columns `fold`, `y_true` and `y_pred`.
    """
    y_true, y_pred = (predictions[name].to_numpy(dtype=str) for name in ("y_true", "y_pred"))
    fold = predictions["fold"].to_numpy(dtype=str)
    parts = [fold == name for name in np.unique(fold)]
    return {
        name: Score(
            value=METRICS[name].score(y_true, y_pred),
            folds=tuple(METRICS[name].score(y_true[part], y_pred[part]) for part in parts),
        )
        for name in metrics
    }
