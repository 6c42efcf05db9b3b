"""Metrics of scores per class: rankings, probabilities, and trials of verification."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.integrate import trapezoid
from sklearn import metrics as sk

from bench.metrics.base import Bools, Floats, Metric, Predicted, ratio, sums

BINS = 15
"""Number of bins of the expected calibration error, as in Guo et al. (ICML 2017)."""

P_TARGET = 0.05
"""Prior of target trials in the detection cost, with costs of 1 for both errors, as in VoxSRC."""


def _clip_mean(name: str, about: str, clip_values: Callable[[Predicted], Floats], **facts: Any) -> Metric:
    """Return a metric that is the mean over clips of a value per clip."""

    def draw_scores(p: Predicted, weights: Floats) -> Floats:
        return ratio(weights @ clip_values(p), weights.sum(axis=1))

    return Metric(
        name=name,
        about=about,
        score=lambda p: float(clip_values(p).mean()),
        draw_scores=draw_scores,
        over="clips",
        **facts,
    )


def _log_loss(p: Predicted) -> Floats:
    """Return minus the logarithm of the probability of every clip's label."""
    probabilities = p.class_scores / p.class_scores.sum(axis=1, keepdims=True)
    return np.asarray(-np.log(np.clip(probabilities[p.one_hot], np.finfo(np.float64).eps, 1.0)))


def _brier(p: Predicted) -> Floats:
    """Return half the squared distance between probabilities and labels (Brier, 1950), in [0, 1]."""
    return np.asarray(((p.class_scores - p.one_hot) ** 2).sum(axis=1) / 2)


def _top_k(k: int) -> Callable[[Predicted], Floats]:
    """Return a function that gives 1 for a clip whose label has one of the k highest scores, else 0.

    The last one of equal scores ranks first.
    """

    def hits(p: Predicted) -> Floats:
        top = np.argsort(p.class_scores, axis=1, kind="stable")[:, ::-1][:, :k]
        return np.asarray(np.take_along_axis(p.one_hot, top, axis=1).any(axis=1), np.float64)

    return hits


def _calibration_error(p: Predicted, weights: Floats) -> Floats:
    """Return the mean gap between confidence and accuracy over bins of the confidence.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    top = p.class_scores.argmax(axis=1)
    confidence = p.class_scores.max(axis=1)
    correct = p.one_hot[np.arange(len(top)), top]
    bins = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
    gaps = sums(weights * (correct - confidence), bins, BINS)
    return ratio(np.abs(gaps).sum(axis=1), weights.sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """Rates above every threshold, from the highest down, each shape=(n_draws, n_thresholds).

    Parameters
    ----------
    hits : Floats
        Share of the targets with a score above the threshold (recall).
    false_alarms : Floats
        Share of the other trials with a score above the threshold.
    precision : Floats
        Share of targets among the trials above the threshold.
    """

    hits: Floats
    false_alarms: Floats
    precision: Floats

    @classmethod
    def of(cls, target: Bools, score: Floats, weights: Floats) -> Self:
        """Return the curves of draws, given the weight of every trial in each, shape=(n_draws, n_trials)."""
        order = np.argsort(-score, kind="stable")
        thresholds = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
        sorted_weights = weights[:, order]
        hits = np.cumsum(sorted_weights * target[order], axis=1)[:, thresholds]
        alarms = np.cumsum(sorted_weights * ~target[order], axis=1)[:, thresholds]
        start = np.zeros((len(weights), 1))
        return cls(
            hits=np.hstack([start, _share(hits)]),
            false_alarms=np.hstack([start, _share(alarms)]),
            precision=np.hstack([start + 1, ratio(hits, hits + alarms)]),
        )


def _share(running_sums: Floats) -> Floats:
    """Return running sums as shares of the last one, NaN if that is 0."""
    total = running_sums[:, -1:]
    return np.divide(running_sums, total, out=np.full_like(running_sums, np.nan), where=total > 0)


def _roc_area(curve: _Curve) -> Floats:
    return np.asarray(trapezoid(curve.hits, curve.false_alarms, axis=1))


def _precision_recall_area(curve: _Curve) -> Floats:
    return np.asarray((np.diff(curve.hits, axis=1) * curve.precision[:, 1:]).sum(axis=1))


def _one_vs_rest(p: Predicted) -> list[tuple[Bools, Floats]]:
    """Return labels and scores of every class as a binary problem, without a class of no or of all clips."""
    problems = zip(p.one_hot.T, p.class_scores.T, strict=True)
    return [(target, score) for target, score in problems if target.any() and not target.all()]


def _ranked_folds(p: Predicted) -> list[Bools]:
    """Return the clips of every fold with two classes or more as a mask, shape=(n_clips,).

    If there is none, such as with a gender per fold, all clips are one fold.
    """
    fold = np.zeros(len(p.y_true)) if p.fold is None else p.fold
    masks = [fold == name for name in np.unique(fold)]
    ranked = [clips for clips in masks if len(np.unique(p.y_true[clips])) > 1]
    return ranked or [np.ones(len(p.y_true), dtype=bool)]


def _all_clips(p: Predicted) -> list[Bools]:
    """Return all clips as one mask, shape=(n_clips,)."""
    return [np.ones(len(p.y_true), dtype=bool)]


def _fold_mean(values: Sequence[Floats], weights: Sequence[Floats]) -> Floats:
    """Return the mean of folds' values by their weight, each shape=(n_draws,); NaN values do not count."""
    is_defined = ~np.isnan(values)
    shares = np.where(is_defined, weights, 0.0)
    return ratio((np.where(is_defined, values, 0.0) * shares).sum(axis=0), shares.sum(axis=0))


def _class_mean(
    name: str,
    about: str,
    function: Callable[..., float],
    measure: Callable[[_Curve], Floats],
    parts: Callable[[Predicted], list[Bools]],
) -> Metric:
    """Return a metric that is the mean over classes of a binary metric, one class against the rest.

    Parameters
    ----------
    parts : Callable[[Predicted], list[np.ndarray]]
        Returns the clips that are ranked together, as masks; the value is the mean over them by their clips.
    """

    def score(p: Predicted) -> float:
        if len(np.unique(p.y_true)) < 2:
            return 0.5
        masks = parts(p)
        problems = [_one_vs_rest(p.take(clips)) for clips in masks]
        means = [float(np.mean([function(*problem) for problem in part])) for part in problems]
        return means[0] if len(means) == 1 else float(np.average(means, weights=[m.sum() for m in masks]))

    def fold_scores(p: Predicted, weights: Floats) -> Floats:
        """Return the mean over the classes of every draw; NaN for a draw of one class."""
        values = np.array([measure(_Curve.of(*problem, weights)) for problem in _one_vs_rest(p)])
        is_defined = ~np.isnan(values)
        n_classes = is_defined.sum(axis=0).astype(np.float64)
        means = ratio(np.where(is_defined, values, 0.0).sum(axis=0), n_classes)
        return np.where(n_classes > 0, means, np.nan)

    def draw_scores(p: Predicted, weights: Floats) -> Floats:
        if len(np.unique(p.y_true)) < 2:
            return np.full(len(weights), 0.5)
        masks = parts(p)
        values = [fold_scores(p.take(clips), weights[:, clips]) for clips in masks]
        if len(values) == 1:
            return np.nan_to_num(values[0])
        return _fold_mean(values, [weights[:, clips].sum(axis=1) for clips in masks])

    return Metric(
        name=name,
        about=f"{about}, mean over the classes against the rest",
        score=score,
        draw_scores=draw_scores,
        needs="scores",
        degenerate="0.5 for one class; a class of no or of all clips does not count",
    )


def _equal_error(curve: _Curve) -> Floats:
    """Return the rate at which misses and false alarms are equal, interpolated between two thresholds."""
    gap = curve.false_alarms - (1 - curve.hits)
    after = np.argmax(gap >= 0, axis=1)
    rows = np.arange(len(gap))
    before = np.maximum(after - 1, 0)
    step = gap[rows, after] - gap[rows, before]
    part = np.divide(-gap[rows, before], step, out=np.zeros_like(step), where=step != 0)
    alarms = curve.false_alarms
    return np.asarray(alarms[rows, before] + part * (alarms[rows, after] - alarms[rows, before]))


def _min_cost(curve: _Curve) -> Floats:
    """Return the lowest detection cost over the thresholds, divided by the cost of a constant answer.

    That is the normalised cost of NIST's speaker recognition evaluations.
    """
    costs = P_TARGET * (1 - curve.hits) + (1 - P_TARGET) * curve.false_alarms
    return np.asarray(costs.min(axis=1) / min(P_TARGET, 1 - P_TARGET))


def _trial_metric(name: str, about: str, measure: Callable[[_Curve], Floats]) -> Metric:
    """Return a metric of verification: every pair of a clip and a class is a trial."""

    def draw_scores(p: Predicted, weights: Floats) -> Floats:
        trial_weights = np.repeat(weights, len(p.classes), axis=1)
        return measure(_Curve.of(p.one_hot.ravel(), p.class_scores.ravel(), trial_weights))

    return Metric(
        name=name,
        about=about,
        score=lambda p: _of_trials(measure, p.one_hot.ravel(), p.class_scores.ravel()),
        draw_scores=draw_scores,
        needs="scores",
        higher_is_better=False,
        degenerate="needs two classes",
        over="clips",
    )


def _of_trials(measure: Callable[[_Curve], Floats], target: Bools, score: Floats) -> float:
    """Return a measure of trials of equal weight."""
    return float(measure(_Curve.of(target, score, np.ones((1, len(score)))))[0])


def equal_error_rate(target: Bools, score: Floats) -> float:
    """Return the equal error rate of verification trials, in [0, 1], lower is better.

    Parameters
    ----------
    target : np.ndarray, shape=(n_trials,), dtype=bool
        True for a trial of one speaker, False for a trial of two.
    score : np.ndarray, shape=(n_trials,)
        Similarity: higher for the same speaker.

    Examples
    --------
    >>> equal_error_rate(np.array([True, True, False, False]), np.array([0.9, 0.4, 0.6, 0.1]))
    0.5
    """
    return _of_trials(_equal_error, target, score)


def detection_cost(target: Bools, score: Floats) -> float:
    """Return the minimum normalised detection cost of verification trials, in [0, 1], lower is better.

    The prior of a target is 0.05, and both errors cost 1, as in VoxSRC.

    Parameters
    ----------
    target, score : np.ndarray
        See `equal_error_rate`.
    """
    return _of_trials(_min_cost, target, score)


SCORE_METRICS: tuple[Metric, ...] = (
    _class_mean(
        "roc_auc",
        "area under the ROC curve, mean over the folds",
        sk.roc_auc_score,
        _roc_area,
        _ranked_folds,
    ),
    _class_mean(
        "average_precision",
        "area under the precision-recall curve",
        sk.average_precision_score,
        _precision_recall_area,
        _all_clips,
    ),
    *(
        _clip_mean(
            f"top{k}_accuracy",
            f"share of clips whose label has one of the {k} highest scores",
            _top_k(k),
            needs="scores",
            degenerate=f"1 for {k} classes or fewer",
        )
        for k in (3, 5)
    ),
    _clip_mean(
        "log_loss",
        "minus the mean logarithm of the label's probability",
        _log_loss,
        needs="probabilities",
        high=np.inf,
        higher_is_better=False,
        degenerate="36 for a probability of 0",
    ),
    _clip_mean(
        "brier",
        "half the mean squared error of the probabilities",
        _brier,
        needs="probabilities",
        higher_is_better=False,
    ),
    Metric(
        name="ece",
        about=f"expected calibration error: mean gap of confidence and accuracy over {BINS} bins",
        score=lambda p: float(_calibration_error(p, np.ones((1, len(p.y_true))))[0]),
        draw_scores=_calibration_error,
        needs="probabilities",
        higher_is_better=False,
        over="clips",
    ),
    _trial_metric(
        "eer",
        "equal error rate, every clip against every class being a trial",
        _equal_error,
    ),
    _trial_metric(
        "min_dcf",
        f"minimum detection cost at a prior of {P_TARGET}, every clip against every class being a trial",
        _min_cost,
    ),
)
