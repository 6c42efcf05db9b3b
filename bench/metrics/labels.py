"""Metrics of labels: scikit-learn's functions, and the same formulas over counts per class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn import metrics as sk

from bench.metrics.base import Codes, Floats, GroupScorer, Metric, Predicted, ratio, sums
from bench.types import Labels

LabelScore = Callable[[Any, Any], float]
"""A function of labels and predictions, or of their codes."""


@dataclass(frozen=True, slots=True, eq=False)
class _Counts:
    """Numbers of clips per draw and class, each shape=(n_draws, n_classes).

    Parameters
    ----------
    correct : Floats
        Clips of the class that are predicted as it.
    true : Floats
        Clips of the class.
    predicted : Floats
        Clips that are predicted as the class.
    """

    correct: Floats
    true: Floats
    predicted: Floats

    @classmethod
    def of_clips(cls, p: Predicted, weights: Floats) -> Self:
        """Return the counts of draws, given the weight of every clip in each."""
        true, predicted = p.codes
        correct = np.flatnonzero(true == predicted)
        n_classes = len(p.classes)
        return cls(
            correct=sums(weights[:, correct], true[correct], n_classes),
            true=sums(weights, true, n_classes),
            predicted=sums(weights, predicted, n_classes),
        )

    @classmethod
    def of_groups(cls, p: Predicted, group: Codes, n_groups: int) -> Callable[[Floats], Self]:
        """Return a function from the draws of groups, shape=(n_draws, n_groups), to the counts."""
        true, predicted = p.codes
        correct = np.flatnonzero(true == predicted)
        pairs = ((group[correct], true[correct]), (group, true), (group, predicted))
        shape = (n_groups, len(p.classes))
        tables = [csr_array((np.ones(len(groups)), (groups, codes)), shape).T for groups, codes in pairs]
        return lambda draws: cls(*(np.asarray((table @ draws.T).T) for table in tables))

    @property
    def occurring(self) -> Floats:
        """Return 1 for a class among the labels or predictions of a draw, else 0."""
        return (self.true + self.predicted > 0).astype(np.float64)


Formula = Callable[[_Counts], Floats]
"""Counts of draws -> a metric of every draw, shape=(n_draws,)."""


def _accuracy(c: _Counts) -> Floats:
    return ratio(c.correct.sum(axis=1), c.true.sum(axis=1))


def _balanced_accuracy(c: _Counts) -> Floats:
    return ratio(ratio(c.correct, c.true).sum(axis=1), (c.true > 0).sum(axis=1).astype(np.float64))


def _precision(c: _Counts) -> Floats:
    return ratio(ratio(c.correct, c.predicted).sum(axis=1), c.occurring.sum(axis=1))


def _recall(c: _Counts) -> Floats:
    return ratio(ratio(c.correct, c.true).sum(axis=1), c.occurring.sum(axis=1))


def _f1(c: _Counts) -> Floats:
    return ratio(ratio(2 * c.correct, c.true + c.predicted).sum(axis=1), c.occurring.sum(axis=1))


def _mcc(c: _Counts) -> Floats:
    """Return R_K, Matthews' correlation for many classes.

    References
    ----------
    Gorodkin, "Comparing two K-category assignments by a K-category correlation coefficient", Computational
    Biology and Chemistry, 2004.
    """
    n, correct = c.true.sum(axis=1), c.correct.sum(axis=1)
    covariance = correct * n - (c.true * c.predicted).sum(axis=1)
    variances = (n**2 - (c.true**2).sum(axis=1)) * (n**2 - (c.predicted**2).sum(axis=1))
    return ratio(covariance, np.sqrt(np.maximum(variances, 0.0)))


def _kappa(c: _Counts) -> Floats:
    """Return Cohen's kappa ("A coefficient of agreement for nominal scales", 1960)."""
    n = c.true.sum(axis=1)
    chance = ratio((c.true * c.predicted).sum(axis=1), n**2)
    return ratio(ratio(c.correct.sum(axis=1), n) - chance, 1 - chance)


def _label_metric(name: str, about: str, score: LabelScore, formula: Formula, **facts: Any) -> Metric:
    """Return a metric from a function of labels and predictions, and the same formula over counts."""

    def group_scorer(p: Predicted, group: Codes, n_groups: int) -> GroupScorer:
        counts_of = _Counts.of_groups(p, group, n_groups)
        return lambda draws: formula(counts_of(draws))

    return Metric(
        name=name,
        about=about,
        score=lambda p: float(score(*p.codes)),
        draw_scores=lambda p, weights: formula(_Counts.of_clips(p, weights)),
        group_scorer=group_scorer,
        **facts,
    )


def _average(kind: str, function: Callable[..., float]) -> LabelScore:
    """Return a precision, recall or F1 with an average over classes; 0 for a class without a value."""
    return lambda y_true, y_pred: function(y_true, y_pred, average=kind, zero_division=0.0)


def _mean_recall(y_true: Labels, y_pred: Labels) -> float:
    """Return the mean recall of the classes among the labels."""
    return float(
        sk.recall_score(y_true, y_pred, labels=np.unique(y_true), average="macro", zero_division=0.0)
    )


def _zero_for_one_class(function: LabelScore) -> LabelScore:
    """Return a measure of agreement that is 0 if all labels and predictions are the same."""

    def score(y_true: Labels, y_pred: Labels) -> float:
        return function(y_true, y_pred) if len({*y_true.tolist(), *y_pred.tolist()}) > 1 else 0.0

    return score


def per_class(p: Predicted) -> pd.DataFrame:
    """Return the precision, recall, F1, in [0, 1], and number of clips of every class among the labels."""
    labels = np.unique(p.y_true)
    columns = sk.precision_recall_fscore_support(p.y_true, p.y_pred, labels=labels, zero_division=0.0)
    return pd.DataFrame(dict(zip(("precision", "recall", "f1", "clips"), columns, strict=True)), index=labels)


_CLASS_METRICS: Mapping[str, tuple[Callable[..., float], Formula]] = {
    "precision": (sk.precision_score, _precision),
    "recall": (sk.recall_score, _recall),
    "f1": (sk.f1_score, _f1),
}
"""Metrics of single classes, which are averaged over the classes or over the clips."""

LABEL_METRICS: tuple[Metric, ...] = (
    _label_metric(
        "accuracy", "share of clips whose label is right", sk.accuracy_score, _accuracy, over="clips"
    ),
    _label_metric(
        "balanced_accuracy",
        "mean recall of the classes",
        _mean_recall,
        _balanced_accuracy,
        over="recalls",
    ),
    *(
        _label_metric(
            f"{name}_macro",
            f"mean {name} of the classes",
            _average("macro", function),
            formula,
            over="recalls" if name == "recall" else "classes",
        )
        for name, (function, formula) in _CLASS_METRICS.items()
    ),
    *(
        _label_metric(
            f"{name}_micro",
            f"{name} over all clips, equal to the accuracy if every clip has one label",
            _average("micro", function),
            _accuracy,
            over="clips",
        )
        for name, (function, _) in _CLASS_METRICS.items()
    ),
    _label_metric(
        "mcc",
        "Matthews correlation of labels and predictions",
        _zero_for_one_class(sk.matthews_corrcoef),
        _mcc,
        low=-1.0,
        degenerate="0 if labels or predictions have one class only",
    ),
    _label_metric(
        "cohen_kappa",
        "agreement beyond chance",
        _zero_for_one_class(sk.cohen_kappa_score),
        _kappa,
        low=-1.0,
        degenerate="0 if labels and predictions have one class only",
    ),
)
