"""Pure scores of predicted labels, and what is to be known of each.

Conventions: `y_true` and `y_pred` have shape=(n_clips,); every metric here is in [0, 1], higher is better.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score

from bench.types import Labels


@dataclass(frozen=True, slots=True)
class Metric:
    """A score: its function of (y_true, y_pred), its range and its direction."""

    name: str
    about: str
    score: Callable[[Labels, Labels], float]
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True


def accuracy(y_true: Labels, y_pred: Labels) -> float:
    """Return the share of clips whose label is right, in [0, 1], higher is better (scikit-learn)."""
    return float(accuracy_score(y_true, y_pred))


def balanced_accuracy(y_true: Labels, y_pred: Labels) -> float:
    """Return the mean recall of the classes in `y_true`, in [0, 1], higher is better (scikit-learn)."""
    return float(recall_score(y_true, y_pred, labels=np.unique(y_true), average="macro", zero_division=0.0))


def f1_macro(y_true: Labels, y_pred: Labels) -> float:
    """Return the mean F1 of the classes in either argument, in [0, 1], higher is better (scikit-learn)."""
    return float(f1_score(y_true, y_pred, average="macro", zero_division=0.0))


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "share of clips whose label is right", accuracy),
        Metric("balanced_accuracy", "mean recall of the classes", balanced_accuracy),
        Metric("f1_macro", "mean F1 of the classes", f1_macro),
    )
}
