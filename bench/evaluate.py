"""Task + embeddings + head -> predictions and scores: no disk, no clock, no globals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from bench import votes
from bench.datasets import splits
from bench.errors import PluginError
from bench.metrics import METRICS
from bench.types import Embeddings, Frames, Head, Labels, Score, Split


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a head predicted for every tested clip, and what it took.

    Parameters
    ----------
    predictions : pd.DataFrame
        One row per tested clip: its `row` in the embeddings, `fold`, `y_true`, `y_pred` and, where the head
        gives them, a column ``score_CLASS`` per class (probabilities, or else decision values); of a head
        that sees frames, a column ``votes_CLASS`` per class too.
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
    X: Embeddings | Sequence[Frames],
    y: Labels,
    split: Split,
    build_head: Callable[[], Head],
    clock: Callable[[], float],
    copies: Sequence[Embeddings | Sequence[Frames]] = (),
) -> Evaluation:
    """Return what fresh heads predict for the tested clips of every fold.

    Features are standardised, and heads fitted, on the training side of each fold alone.

    Parameters
    ----------
    X : Embeddings | Sequence[Frames]
        One row per clip, shape=(n_clips, dim); or one array per clip, shape=(n_frames, dim), for a head that
        learns from single frames and whose predictions are voted back to the clip.
    y : Labels
        shape=(n_clips,).
    clock : Callable[[], float]
        Returns the time in s.
    copies : Sequence[Embeddings | Sequence[Frames]]
        Each the same as `X` of changed clips: they are trained on with the clips that they are of, and never
        tested.

    Raises
    ------
    SplitError
        If the split leaks, or tests a class that it does not train on.
    PluginError
        If the head predicts what is no label of the training side.
    """
    splits.check(split, y)
    classes = np.unique(y)
    framed = not isinstance(X, np.ndarray)
    parts = (X, *copies)
    samples = np.concatenate([array for part in parts for array in part]) if framed else np.concatenate(parts)
    lengths = [len(array) if framed else 1 for part in parts for array in part]
    owner = np.repeat(np.tile(np.arange(len(y)), len(parts)), lengths)
    own = np.arange(len(owner)) < sum(lengths[: len(y)])
    tables, trained = [], np.zeros(len(y), dtype=bool)
    fit_s = predict_s = 0.0
    for fold, train, test in split.rounds():
        learnt, asked = np.isin(owner, train), np.isin(owner, test) & own
        pipeline = Pipeline([("scale", StandardScaler()), ("head", build_head())])
        start = clock()
        pipeline.fit(samples[learnt], y[owner[learnt]])
        fitted = clock()
        y_pred = np.asarray(pipeline.predict(samples[asked])).astype(str)
        scores = _class_scores(pipeline, samples[asked], classes)
        predict_s += clock() - fitted
        fit_s += fitted - start
        _refuse_strange(y_pred, y[train], int(asked.sum()))
        trained[train] = True
        known = {"row": test, "fold": fold, "y_true": y[test]}
        if framed:
            table = pd.DataFrame(known).join(votes.of_frames(owner[asked], y_pred, scores, classes))
        else:
            table = pd.DataFrame({**known, "y_pred": y_pred}).join(scores)
        tables.append(table)
    return Evaluation(pd.concat(tables, ignore_index=True), int(trained.sum()), fit_s, predict_s)


def _refuse_strange(y_pred: Labels, known: Labels, n_samples: int) -> None:
    """Raise PluginError if a head predicted another number of labels, or ones that it was not taught."""
    strange = sorted(set(y_pred.tolist()) - set(known.tolist()))
    if strange or y_pred.shape != (n_samples,):
        raise PluginError(
            f"the head predicted {strange} in shape {y_pred.shape}; expected labels ({n_samples},)"
        )


def _class_scores(pipeline: Pipeline, X: Embeddings, classes: Labels) -> pd.DataFrame:
    """Return a column of probabilities (or else decision values) per class; none if the head has neither."""
    method = next((name for name in ("predict_proba", "decision_function") if hasattr(pipeline, name)), None)
    if method is None:
        return pd.DataFrame(index=range(len(X)))
    values: npt.NDArray[Any] = np.asarray(getattr(pipeline, method)(X), dtype=np.float64)
    if values.ndim == 1:  # of two classes, a decision function gives the second one's value alone
        values = np.column_stack([-values, values])
    known = pd.DataFrame(values, columns=[str(c) for c in pipeline.classes_])
    return known.reindex(columns=[str(c) for c in classes]).add_prefix(votes.SCORE_PREFIX)


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


def levels(predictions: pd.DataFrame, metric: str, parent: Labels | None) -> Mapping[str, Score]:
    """Return a metric at every level besides that of the dataset's clips: METRIC[LEVEL] -> score.

    ``frame`` and ``mean`` are there for a head that sees frames, whose score by itself is that of their vote;
    ``clip vote`` and ``clip mean`` for segments: the same of the clips that they are of. Means are there if
    the head gives scores per class. Where segments of one clip differ in their label, as under a mixture's
    noise, the clip has none, and no score.

    Parameters
    ----------
    predictions : pd.DataFrame
        As in `Evaluation`.
    parent : Labels | None
        The clip that each row is a segment of.
    """
    scored = any(str(name).startswith(votes.SCORE_PREFIX) for name in predictions.columns)
    tables = {}
    if any(str(name).startswith(votes.VOTES_PREFIX) for name in predictions.columns):
        tables["frame"] = votes.frames(predictions)
        if scored:
            tables["mean"] = votes.by_mean(predictions, np.arange(len(predictions)).astype(str))
    if parent is not None and predictions.groupby(parent)["y_true"].nunique().max() == 1:
        tables["clip vote"] = votes.by_vote(predictions, parent)
        if scored:
            tables["clip mean"] = votes.by_mean(predictions, parent)
    return {f"{metric}[{level}]": score(table, [metric])[metric] for level, table in tables.items()}
