"""Scores of labels: scikit-learn's, and the same of counts per class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from sklearn import metrics as reference

from bench.metrics.base import Drawn, Floats, Metric, Predicted, ratio, sums
from bench.types import Labels


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Of each draw and class, how many clips are rightly predicted, are of it, and are predicted as it."""

    right: Floats
    true: Floats
    predicted: Floats

    @classmethod
    def of(cls, p: Predicted, weights: Floats) -> Self:
        true, predicted = p.codes
        right = np.flatnonzero(true == predicted)
        return cls(
            sums(weights[:, right], true[right], len(p.classes)),
            sums(weights, true, len(p.classes)),
            sums(weights, predicted, len(p.classes)),
        )

    @classmethod
    def drawn(cls, p: Predicted, group: npt.NDArray[np.intp], n_groups: int) -> Callable[[Floats], Self]:
        """Return what makes the counts of draws of whole groups, from those of every group."""
        true, predicted = p.codes
        right = np.flatnonzero(true == predicted)
        parts = ((group[right], true[right]), (group, true), (group, predicted))
        shape = (n_groups, len(p.classes))
        tables = [csr_array((np.ones(len(rows)), (rows, classes)), shape).T for rows, classes in parts]
        return lambda counts: cls(*(np.asarray((table @ counts.T).T) for table in tables))

    @property
    def occurring(self) -> Floats:
        """Return which classes occur in the labels or predictions of each draw."""
        return (self.true + self.predicted > 0).astype(np.float64)


def _accuracy(c: _Counts) -> Floats:
    return ratio(c.right.sum(axis=1), c.true.sum(axis=1))


def _balanced_accuracy(c: _Counts) -> Floats:
    return ratio(ratio(c.right, c.true).sum(axis=1), (c.true > 0).sum(axis=1).astype(np.float64))


def _precision(c: _Counts) -> Floats:
    return ratio(ratio(c.right, c.predicted).sum(axis=1), c.occurring.sum(axis=1))


def _recall(c: _Counts) -> Floats:
    return ratio(ratio(c.right, c.true).sum(axis=1), c.occurring.sum(axis=1))


def _f1(c: _Counts) -> Floats:
    return ratio(ratio(2 * c.right, c.true + c.predicted).sum(axis=1), c.occurring.sum(axis=1))


def _mcc(c: _Counts) -> Floats:
    """Return Gorodkin's R_K ("Comparing two K-category assignments", 2004)."""
    n, right = c.true.sum(axis=1), c.right.sum(axis=1)
    together = right * n - (c.true * c.predicted).sum(axis=1)
    spread = (n**2 - (c.true**2).sum(axis=1)) * (n**2 - (c.predicted**2).sum(axis=1))
    return ratio(together, np.sqrt(np.maximum(spread, 0.0)))


def _kappa(c: _Counts) -> Floats:
    n = c.true.sum(axis=1)
    chance = ratio((c.true * c.predicted).sum(axis=1), n**2)
    return ratio(ratio(c.right.sum(axis=1), n) - chance, 1 - chance)


def _counted(name: str, about: str, score: Callable[..., float], formula: Any, **facts: Any) -> Metric:
    """Return a metric of labels: scikit-learn's function, and the same of counts per class."""

    def grouped(p: Predicted, group: npt.NDArray[np.intp], n_groups: int) -> Drawn:
        counts_of = _Counts.drawn(p, group, n_groups)
        return lambda counts: formula(counts_of(counts))

    return Metric(
        name,
        about,
        lambda p: float(score(*p.codes)),
        lambda p, weights: formula(_Counts.of(p, weights)),
        grouped=grouped,
        **facts,
    )


def _combined(average: str, of: Callable[..., float]) -> Callable[[Labels, Labels], float]:
    """Return scikit-learn's precision, recall or F1 by a kind of mean, 0 where a class has none."""
    return lambda y_true, y_pred: of(y_true, y_pred, average=average, zero_division=0.0)


def _balanced(y_true: Labels, y_pred: Labels) -> float:
    return float(
        reference.recall_score(y_true, y_pred, labels=np.unique(y_true), average="macro", zero_division=0.0)
    )


def _beyond_chance(of: Callable[[Labels, Labels], float]) -> Callable[[Labels, Labels], float]:
    """Return scikit-learn's measure of agreement, 0 where all labels and predictions are the same."""

    def score(y_true: Labels, y_pred: Labels) -> float:
        return of(y_true, y_pred) if len({*y_true.tolist(), *y_pred.tolist()}) > 1 else 0.0

    return score


def per_class(p: Predicted) -> pd.DataFrame:
    """Return precision, recall and F1, in [0, 1], and the number of clips of each class in the labels."""
    labels = np.unique(p.y_true)
    columns = reference.precision_recall_fscore_support(p.y_true, p.y_pred, labels=labels, zero_division=0.0)
    return pd.DataFrame(dict(zip(("precision", "recall", "f1", "clips"), columns, strict=True)), index=labels)


_SHARES: Mapping[str, tuple[Callable[..., float], Any]] = {
    "precision": (reference.precision_score, _precision),
    "recall": (reference.recall_score, _recall),
    "f1": (reference.f1_score, _f1),
}

LABEL_METRICS: tuple[Metric, ...] = (
    _counted("accuracy", "share of clips whose label is right", reference.accuracy_score, _accuracy),
    _counted("balanced_accuracy", "mean recall of the classes", _balanced, _balanced_accuracy),
    *(
        _counted(f"{name}_macro", f"mean {name} of the classes", _combined("macro", of), formula)
        for name, (of, formula) in _SHARES.items()
    ),
    *(
        _counted(
            f"{name}_micro",
            f"{name} over all clips, which is the accuracy where each has one label",
            _combined("micro", of),
            _accuracy,
        )
        for name, (of, _) in _SHARES.items()
    ),
    _counted(
        "mcc",
        "Matthews correlation of labels and predictions",
        _beyond_chance(reference.matthews_corrcoef),
        _mcc,
        low=-1.0,
        degenerate="0 where either has one class only",
    ),
    _counted(
        "cohen_kappa",
        "agreement beyond chance",
        _beyond_chance(reference.cohen_kappa_score),
        _kappa,
        low=-1.0,
        degenerate="0 where both have one class only",
    ),
)
