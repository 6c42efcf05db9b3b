"""Predictions -> scores with their intervals, at every level."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn import config_context

from bench import stats
from bench.learn import aggregation
from bench.metrics import CLUSTERINGS, METRICS, Predicted
from bench.types import SCORE_PREFIX, VOTES_PREFIX, Labels, Level, Score


def scores(predictions: pd.DataFrame, metrics: Sequence[str], parent: Labels | None) -> tuple[Score, ...]:
    """Return the metrics over clips, the first one at every other level, and the scores of clusters.

    Parameters
    ----------
    predictions : pd.DataFrame
        One row per tested clip, as in `Evaluation`, with the column `group`.
    parent : Labels | None
        The clip that each row is a segment of.
    """
    of_clips = score(predictions, metrics)
    of_levels = [
        value
        for level, table in levels(predictions, parent).items()
        for value in score(table, metrics[:1], level)
    ]
    return (*of_clips, *of_levels, *clustering(predictions))


def score(predictions: pd.DataFrame, metrics: Sequence[str], level: Level = "clip") -> list[Score]:
    """Return every metric over all tested clips, with its interval, and over those of every fold.

    A metric of scores or probabilities is left out if the head gives none.

    Parameters
    ----------
    predictions : pd.DataFrame
        With the columns `fold`, `group`, `y_true` and `y_pred`, and perhaps ``score_CLASS``.
    level : Level
        What the rows are.
    """
    predicted = Predicted.of(predictions)
    fold = predictions["fold"].to_numpy(dtype=str)
    parts = [predicted.take(fold == name) for name in np.unique(fold)]
    inputs = predicted.inputs
    computable = [METRICS[name] for name in metrics if METRICS[name].needs in inputs]
    # Validation of the arguments would take most of the time of a small score.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        values = [
            Score(
                metric=metric.name,
                value=metric.score(predicted),
                level=level,
                folds=tuple(metric.score(part) for part in parts),
            )
            for metric in computable
        ]
    return stats.bounded(predicted, predictions["group"].to_numpy(str), values)


def levels(predictions: pd.DataFrame, parent: Labels | None) -> Mapping[Level, pd.DataFrame]:
    """Return the predictions at every level except that of the dataset's clips.

    A head that sees frames predicts clips by the vote of their frames; its levels are the frames themselves
    and the mean scores of the frames. Segments have the vote and the mean scores over the clip that they are
    parts of, unless the segments of a clip differ in their label. Mean scores need a head that gives scores.

    Parameters
    ----------
    predictions : pd.DataFrame
        As in `Evaluation`, with the column `group`.
    parent : Labels | None
        The clip that each row is a segment of.
    """
    has_scores = any(str(name).startswith(SCORE_PREFIX) for name in predictions.columns)
    tables: dict[Level, pd.DataFrame] = {}
    if any(str(name).startswith(VOTES_PREFIX) for name in predictions.columns):
        tables["frame"] = aggregation.frames(predictions)
        if has_scores:
            clips = np.arange(len(predictions)).astype(str)
            tables["frame-mean"] = aggregation.by_mean(predictions, clips)
    if parent is not None and predictions.groupby(parent)["y_true"].nunique().max() == 1:
        tables["parent-vote"] = aggregation.by_vote(predictions, parent)
        if has_scores:
            tables["parent-mean"] = aggregation.by_mean(predictions, parent)
    return tables


def clustering(predictions: pd.DataFrame) -> list[Score]:
    """Return the scores of a head that clusters: means over the folds, weighted by their clips.

    The scores are `metrics.CLUSTERINGS` and the silhouette, in [-1, 1], higher is better. Clusters of
    different folds are unrelated, so that there is no score over all clips and no interval.

    Parameters
    ----------
    predictions : pd.DataFrame
        As in `Evaluation`.
    """
    if "cluster" not in predictions.columns:
        return []
    folds = predictions.groupby("fold")
    values = {
        name: [float(measure(part["y_true"].to_numpy(), part["cluster"].to_numpy())) for _, part in folds]
        for name, measure in CLUSTERINGS.items()
    }
    values["silhouette"] = folds["silhouette"].mean().tolist()
    weights = folds.size().to_numpy()
    return [
        Score(
            metric=name, value=float(np.average(means, weights=weights)), level="cluster", folds=tuple(means)
        )
        for name, means in values.items()
    ]
