"""A fitted head's predictions: labels, and scores per class."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.learn import aggregation
from bench.types import SCORE_PREFIX, Labels, Samples, Unit

MAX_COMPARISONS = 2**26
"""Largest number of comparisons of two classes at once, over all rows."""


def sample_predictions(head: Any, X: Samples, classes: Labels) -> tuple[Labels, pd.DataFrame]:
    """Return the label of every sample, and its scores per class.

    Parameters
    ----------
    classes : Labels
        Sorted, shape=(n_classes,).

    Returns
    -------
    tuple[Labels, pd.DataFrame]
        Labels, shape=(n_samples,), and columns ``score_CLASS``: probabilities, or else decision values; NaN
        for a class that the head was not trained on, no columns for a head that gives no scores.
    """
    return np.asarray(head.predict(X)).astype(str), _class_scores(head, X, classes)


def _class_scores(head: Any, X: Samples, classes: Labels) -> pd.DataFrame:
    method = next((name for name in ("predict_proba", "decision_function") if hasattr(head, name)), None)
    if method is None:
        return pd.DataFrame(index=range(len(X)))
    # An SVC compares every two classes, for every row at once.
    n_rows = max(1, MAX_COMPARISONS // len(classes) ** 2)
    blocks = [getattr(head, method)(X[start : start + n_rows]) for start in range(0, len(X), n_rows)]
    values: npt.NDArray[Any] = np.concatenate(blocks).astype(np.float64)
    if values.ndim == 1:  # a decision function of two classes gives the second one's value alone
        values = np.column_stack([-values, values])
    scores = pd.DataFrame(values, columns=[str(name) for name in head.classes_])
    return scores.reindex(columns=[str(name) for name in classes]).add_prefix(SCORE_PREFIX)


def clip_predictions(
    unit: Unit, clip: npt.NDArray[np.intp], y_pred: Labels, scores: pd.DataFrame, classes: Labels
) -> pd.DataFrame:
    """Return one row per clip: `y_pred`, and ``score_CLASS`` and, for frames, ``votes_CLASS`` per class.

    Parameters
    ----------
    clip : np.ndarray, shape=(n_samples,)
        Index of every sample's clip, in ascending order.
    y_pred, scores : Labels, pd.DataFrame
        See `sample_predictions`.
    """
    if unit == "frame":
        return aggregation.frame_vote(clip, y_pred, scores, classes)
    return pd.DataFrame({"y_pred": y_pred}).join(scores)
