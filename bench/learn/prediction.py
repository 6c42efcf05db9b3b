"""A fitted head's predictions: labels, and scores per class."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.errors import PluginError
from bench.learn import aggregation
from bench.types import SCORE_PREFIX, Labels, Samples, Unit

N_TOGETHER, N_ALONE = 32, 5
"""Number of samples that a head predicts once more together, and of those each alone."""

TOLERANCE = 0.01
"""Largest difference of a sample's scores, alone and among others, as a share of the largest score."""

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


def check_samples_apart(head: Any, X: Samples, classes: Labels) -> None:
    """Predict some samples once more, each alone, and compare their scores, or labels of a head without.

    Raises
    ------
    PluginError
        If what the head predicts for a sample depends on the other samples.
    """
    X = X[:N_TOGETHER]
    y_pred, scores = sample_predictions(head, X, classes)
    limit = TOLERANCE * float(np.nanmax(np.abs(scores.to_numpy()))) if scores.size else 0.0
    for row in np.unique(np.linspace(0, len(X) - 1, N_ALONE).astype(int)):
        label, alone = sample_predictions(head, X[row : row + 1], classes)
        differences = np.abs(alone.to_numpy()[0] - scores.to_numpy()[row])
        apart = float(np.nanmax(differences)) if differences.size else float(label[0] != y_pred[row])
        if apart > limit:
            what = f"scores ({apart:.3g} apart)" if differences.size else "label"
            raise PluginError(
                f"the head gave a clip another {what} alone than among others; "
                "its output must not depend on the other tested clips"
            )


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
