"""Scores of stored predictions by further metrics, or over some of the clips."""

from dataclasses import replace

import numpy as np
import pandas as pd

from bench import stats
from bench.metrics import METRICS, Predicted
from bench.types import Result, Score


def score(predictions: pd.DataFrame, metric: str) -> Score | None:
    """Return a metric of predictions with its interval; None if they lack what the metric needs.

    Parameters
    ----------
    predictions : pd.DataFrame
        With the columns `group`, `y_true` and `y_pred`, and perhaps ``score_CLASS``.
    """
    predicted = Predicted.of(predictions)
    measure = METRICS[metric]
    if measure.needs not in predicted.given:
        return None
    bounds = stats.bounds(measure, predicted, predictions["group"].to_numpy(str))
    low, high = bounds or (None, None)
    return Score(metric=metric, value=measure.score(predicted), low=low, high=high)


def with_metrics(result: Result, predictions: pd.DataFrame, metrics: list[str]) -> Result:
    """Return a result with scores by further metrics, as far as its predictions have what they need.

    Parameters
    ----------
    predictions : pd.DataFrame
        As of `score`, with the column `fold`.
    """
    predicted, fold = Predicted.of(predictions), predictions["fold"].to_numpy(str)
    parts = [predicted.take(fold == name) for name in np.unique(fold)]
    scores = [score(predictions, metric) for metric in metrics]
    further = [
        replace(total, folds=tuple(METRICS[total.metric].score(part) for part in parts))
        for total in scores
        if total is not None
    ]
    return replace(result, scores=(*result.scores, *further))
