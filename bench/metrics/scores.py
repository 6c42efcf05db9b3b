"""Scores of what a head says of every class: rankings, probabilities, and trials of verification."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.integrate import trapezoid
from sklearn import metrics as reference

from bench.metrics.base import Floats, Metric, Predicted, ratio, sums

BINS = 15
"""Of the expected calibration error, as in Guo et al. (2017)."""

P_TARGET = 0.05
"""The prior of target trials in the detection cost, with costs of 1 for both errors, as in VoxSRC."""


def _averaged(name: str, about: str, clipwise: Callable[[Predicted], Floats], **facts: Any) -> Metric:
    """Return a metric that is the mean of a value per clip."""

    def resampled(p: Predicted, weights: Floats) -> Floats:
        return ratio(weights @ clipwise(p), weights.sum(axis=1))

    return Metric(name, about, lambda p: float(clipwise(p).mean()), resampled, **facts)


def _surprise(p: Predicted) -> Floats:
    """Return minus the logarithm of each clip's probability of its class."""
    shares = p.known / p.known.sum(axis=1, keepdims=True)
    return np.asarray(-np.log(np.clip(shares[p.truth], np.finfo(np.float64).eps, 1.0)))


def _squares(p: Predicted) -> Floats:
    """Return half the squared distance between probabilities and truth (Brier, 1950), in [0, 1]."""
    return np.asarray(((p.known - p.truth) ** 2).sum(axis=1) / 2)


def _among(k: int) -> Callable[[Predicted], Floats]:
    """Return a function that tells which clips' class is among the k likeliest, last of equals first."""

    def hits(p: Predicted) -> Floats:
        likeliest = np.argsort(p.known, axis=1, kind="stable")[:, ::-1][:, :k]
        return np.asarray(np.take_along_axis(p.truth, likeliest, axis=1).any(axis=1), np.float64)

    return hits


def _calibration_error(p: Predicted, weights: Floats) -> Floats:
    """Return the mean gap between confidence and accuracy over bins (Guo et al., ICML 2017)."""
    likeliest = p.known.argmax(axis=1)
    confidence = p.known.max(axis=1)
    right = p.truth[np.arange(len(likeliest)), likeliest]
    bins = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    gaps = sums(weights * (right - confidence), bins, BINS)
    return ratio(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """Of each draw, the shares of hits and of false alarms above every distinct score, the highest first."""

    hits: Floats
    false_alarms: Floats
    precision: Floats

    @classmethod
    def of(cls, target: npt.NDArray[np.bool_], score: Floats, weights: Floats) -> Self:
        order = np.argsort(-score, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
        taken = weights[:, order]
        hits = np.cumsum(taken * target[order], axis=1)[:, ends]
        alarms = np.cumsum(taken * ~target[order], axis=1)[:, ends]
        start = np.zeros((len(weights), 1))
        return cls(
            np.hstack([start, _share(hits)]),
            np.hstack([start, _share(alarms)]),
            np.hstack([start + 1, ratio(hits, hits + alarms)]),
        )


def _share(running: Floats) -> Floats:
    """Return running sums as shares of the last; NaN where that is 0."""
    whole = running[:, -1:]
    return np.divide(running, whole, out=np.full_like(running, np.nan), where=whole > 0)


def _area(curve: _Curve) -> Floats:
    return np.asarray(trapezoid(curve.hits, curve.false_alarms, axis=1))


def _precision_area(curve: _Curve) -> Floats:
    return np.asarray((np.diff(curve.hits, axis=1) * curve.precision[:, 1:]).sum(axis=1))


def _against_the_rest(p: Predicted) -> list[tuple[npt.NDArray[np.bool_], Floats]]:
    """Return which clips are of a class, and its scores, of every class that not all or no clips are of."""
    sides = zip(p.truth.T, p.known.T, strict=True)
    return [(target, score) for target, score in sides if target.any() and not target.all()]


def _over_classes(
    name: str, about: str, of: Callable[..., float], measure: Callable[[_Curve], Floats]
) -> Metric:
    """Return a metric of one class against the rest, as a mean over the classes that have both sides."""

    def score(p: Predicted) -> float:
        sides = _against_the_rest(p)
        return float(np.mean([of(*side) for side in sides])) if sides else 0.5

    def resampled(p: Predicted, weights: Floats) -> Floats:
        sides = _against_the_rest(p)
        if not sides:
            return np.full(len(weights), 0.5)
        values = [measure(_Curve.of(*side, weights)) for side in sides]
        counted = ~np.isnan(values)
        return ratio(np.where(counted, values, 0.0).sum(axis=0), counted.sum(axis=0).astype(np.float64))

    told = f"{about}, mean over the classes against the rest"
    alone = "0.5 of one class; a class that is all clips or none does not count"
    return Metric(name, told, score, resampled, "scores", degenerate=alone)


def _equal_error(curve: _Curve) -> Floats:
    """Return where misses and false alarms are equally likely, between two thresholds on their line."""
    gap = curve.false_alarms - (1 - curve.hits)
    after = np.argmax(gap >= 0, axis=1)
    rows = np.arange(len(gap))
    before = np.maximum(after - 1, 0)
    step = gap[rows, after] - gap[rows, before]
    part = np.divide(-gap[rows, before], step, out=np.zeros_like(step), where=step != 0)
    alarms = curve.false_alarms
    return np.asarray(alarms[rows, before] + part * (alarms[rows, after] - alarms[rows, before]))


def _detection_cost(curve: _Curve) -> Floats:
    """Return the least cost over the thresholds, as a share of what saying always the same costs (NIST)."""
    costs = P_TARGET * (1 - curve.hits) + (1 - P_TARGET) * curve.false_alarms
    return np.asarray(costs.min(axis=1) / min(P_TARGET, 1 - P_TARGET))


def _of_trials(name: str, about: str, measure: Callable[[_Curve], Floats], **facts: Any) -> Metric:
    """Return a metric of verification: every clip against every class is a trial."""

    def resampled(p: Predicted, weights: Floats) -> Floats:
        repeated = np.repeat(weights, len(p.classes), axis=1)
        return measure(_Curve.of(p.truth.ravel(), p.known.ravel(), repeated))

    return Metric(name, about, lambda p: _once(measure, p.truth.ravel(), p.known.ravel()), resampled, **facts)


def _once(measure: Callable[[_Curve], Floats], target: npt.NDArray[np.bool_], score: Floats) -> float:
    """Return a measure of trials that all weigh the same."""
    return float(measure(_Curve.of(target, score, np.ones((1, len(score)))))[0])


def equal_error_rate(target: npt.NDArray[np.bool_], score: Floats) -> float:
    """Return the equal error rate of verification trials, in [0, 1], lower is better.

    Parameters
    ----------
    target : np.ndarray, shape=(n_trials,), dtype=bool
        Whether a trial's two sides are the same speaker.
    score : np.ndarray, shape=(n_trials,)
        Higher for the same speaker.
    """
    return _once(_equal_error, target, score)


def detection_cost(target: npt.NDArray[np.bool_], score: Floats) -> float:
    """Return the least normalised detection cost of verification trials, in [0, 1], lower is better.

    The prior of a target is 0.05, and both errors cost 1, as in VoxSRC. Arguments as of `equal_error_rate`.
    """
    return _once(_detection_cost, target, score)


SCORE_METRICS: tuple[Metric, ...] = (
    _over_classes("roc_auc", "area under the ROC curve", reference.roc_auc_score, _area),
    _over_classes(
        "average_precision",
        "area under the precision-recall curve",
        reference.average_precision_score,
        _precision_area,
    ),
    *(
        _averaged(
            f"top{k}_accuracy",
            f"share of clips whose label is among the {k} likeliest",
            _among(k),
            needs="scores",
            degenerate=f"1 of {k} classes or fewer",
        )
        for k in (3, 5)
    ),
    _averaged(
        "log_loss",
        "minus the mean logarithm of the label's probability",
        _surprise,
        needs="probabilities",
        high=np.inf,
        higher_is_better=False,
        degenerate="36 for a probability of 0",
    ),
    _averaged(
        "brier",
        "half the mean squared error of the probabilities",
        _squares,
        needs="probabilities",
        higher_is_better=False,
    ),
    Metric(
        "ece",
        "expected calibration error: mean gap of confidence and accuracy over 15 bins",
        lambda p: float(_calibration_error(p, np.ones((1, len(p.y_true))))[0]),
        _calibration_error,
        "probabilities",
        higher_is_better=False,
    ),
    _of_trials(
        "eer",
        "equal error rate, each clip against each class being a trial",
        _equal_error,
        needs="scores",
        higher_is_better=False,
        degenerate="needs two classes",
    ),
    _of_trials(
        "min_dcf",
        "least detection cost at a prior of 0.05, each clip against each class being a trial",
        _detection_cost,
        needs="scores",
        higher_is_better=False,
        degenerate="needs two classes",
    ),
)
