"""Calibrators: scores of a head -> probabilities that are right as often as they say."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.isotonic import IsotonicRegression

from bench.calibration.held_out import HeldOut
from bench.metrics import Floats
from bench.metrics.base import Codes

FLOOR = float(np.finfo(np.float32).eps)
"""Smallest probability whose logarithm is taken: heads give 0 and 1 where float32 ends."""

LOG_RANGE = (-10.0, 10.0)
"""Bounds of the natural logarithm of the slope, for scores whose two highest classes are 1 apart."""

MIN_GROUPS = 2
"""Fewest groups for a calibrator: it is chosen by its log loss on groups that it was not fitted to."""

Kind = Literal["temperature", "isotonic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrator:
    """A function from the scores of a clip to probabilities of the classes.

    Neither kind changes which class is the most probable.

    Parameters
    ----------
    kind : Kind
        ``temperature``: the softmax of the scores times `slope`. ``isotonic``, for two classes: a monotone
        function of the difference of the scores, the same for both classes.
    are_probabilities : bool
        Whether the scores are probabilities, whose logarithms are calibrated, and not decision values.
    slope : float
        Inverse of the temperature.
    differences, probabilities : tuple[float, ...]
        Knots of the isotonic function: the second class's score minus the first one's, ascending, and the
        probability of the second class; linear between knots.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017 (temperature). Zadrozny and Elkan,
    "Transforming classifier scores into accurate multiclass probability estimates", KDD 2002 (isotonic).
    """

    kind: Kind
    are_probabilities: bool
    slope: float = 1.0
    differences: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()

    def apply(self, scores: Floats) -> Floats:
        """Return the probabilities of clips, shape=(n_clips, n_classes).

        Parameters
        ----------
        scores : np.ndarray, shape=(n_clips, n_classes)
            As the head gives them, columns in the order of `HeldOut.classes`; NaN for a class that the head
            was not fitted to, whose probability is 0.
        """
        logits = _logits(scores, self.are_probabilities)
        if self.kind == "temperature":
            return np.asarray(softmax(self.slope * logits, axis=1))
        second = np.interp(logits[:, 1] - logits[:, 0], self.differences, self.probabilities)
        return np.column_stack([1 - second, second])


def uncalibrated(held_out: HeldOut) -> Floats:
    """Return the probabilities before calibration, shape=(n_clips, n_classes).

    They are the scores themselves where these are probabilities, and the softmax of decision values.
    """
    if held_out.are_probabilities:
        return np.nan_to_num(held_out.scores)
    return np.asarray(softmax(_logits(held_out.scores, are_probabilities=False), axis=1))


def fit_calibrator(held_out: HeldOut, seed: int = 0) -> Calibrator | None:
    """Return the calibrator of scores.

    For two classes, isotonic regression replaces the temperature if its log loss is lower on groups that it
    was not fitted to. A clip whose class was unknown to its model does not count: the model that a calibrator
    serves is fitted to all classes.

    Parameters
    ----------
    seed : int
        Seed of the parts of the groups.

    Returns
    -------
    Calibrator | None
        None with fewer than `MIN_GROUPS` groups.
    """
    held_out = held_out.take(held_out.is_possible)
    if held_out.n_groups < MIN_GROUPS:
        return None
    are_probabilities = held_out.are_probabilities
    logits, label = _logits(held_out.scores, are_probabilities), held_out.label
    if len(held_out.classes) > 2:
        return _temperature(logits, label, are_probabilities)
    loss = {_temperature: 0.0, _isotonic: 0.0}
    for others, part in held_out.parts(seed):
        for fit in loss:
            p = fit(logits[others], label[others], are_probabilities).apply(held_out.scores[part])
            loss[fit] -= float(np.log(p[np.arange(len(p)), label[part]]).sum())
    return min(loss, key=loss.__getitem__)(logits, label, are_probabilities)


def cross_fitted(held_out: HeldOut, seed: int = 0) -> Floats | None:
    """Return the probabilities of every clip by a calibrator of other groups, shape=(n_clips, n_classes).

    What is measured on them says what `fit_calibrator` does for groups that it has never seen.

    Returns
    -------
    np.ndarray | None
        None with too few groups.
    """
    probabilities = np.empty_like(held_out.scores)
    if held_out.n_groups < MIN_GROUPS:
        return None
    for others, part in held_out.parts(seed):
        calibrator = fit_calibrator(held_out.take(others), seed)
        if calibrator is None:
            return None
        probabilities[part] = calibrator.apply(held_out.scores[part])
    return probabilities


def _logits(scores: Floats, are_probabilities: bool) -> Floats:
    """Return decision values, or the logarithms of probabilities; minus infinity for an unknown class."""
    logits = np.log(np.maximum(scores, FLOOR)) if are_probabilities else scores
    return np.where(np.isnan(scores), -np.inf, logits)


def _temperature(logits: Floats, label: Codes, are_probabilities: bool) -> Calibrator:
    """Return the temperature with the lowest log loss.

    As if one more clip had been wrong, a label has the probability (n + 1) / (n + 2) of being right, so that
    the temperature stays above 0 where every clip is right.

    References
    ----------
    Platt, "Probabilistic outputs for support vector machines", 1999 (section 2.2, targets).
    """
    below = logits - logits.max(axis=1, keepdims=True)
    is_class = np.isfinite(below)
    doubt = 1 / (len(label) + 2)
    targets = is_class * doubt / np.maximum(is_class.sum(axis=1, keepdims=True) - 1, 1)
    targets[np.arange(len(label)), label] = 1 - doubt
    expected = float((targets * np.where(is_class, below, 0.0)).sum())
    unit = _typical_gap(logits)

    def loss(log_slope: float) -> float:
        slope = np.exp(log_slope) / unit
        return float(np.log(np.exp(slope * below).sum(axis=1)).sum() - slope * expected)

    log_slope = minimize_scalar(loss, bounds=LOG_RANGE, method="bounded", options={"xatol": 1e-6}).x
    slope = float(np.exp(log_slope)) / unit
    return Calibrator(kind="temperature", are_probabilities=are_probabilities, slope=slope)


def _typical_gap(logits: Floats) -> float:
    """Return the median difference of the two highest values of a clip; 1 if that is 0."""
    highest = np.sort(logits, axis=1)
    gaps = highest[:, -1] - highest[:, -2]
    gaps = gaps[np.isfinite(gaps)]
    return (float(np.median(gaps)) if len(gaps) else 0.0) or 1.0


def _isotonic(logits: Floats, label: Codes, are_probabilities: bool) -> Calibrator:
    """Return the isotonic function of the difference of two classes' scores.

    Every clip counts for both classes, so that equal scores give 0.5. As if one more clip had been wrong and
    one right, no probability is closer to 0 or 1 than 1 / (n + 2).
    """
    difference = logits[:, 1] - logits[:, 0]
    is_finite = np.isfinite(difference)
    difference, is_second = difference[is_finite], label[is_finite].astype(float)
    least = 1 / (len(label) + 2)
    isotonic = IsotonicRegression(y_min=least, y_max=1 - least)
    isotonic.fit(np.concatenate([difference, -difference]), np.concatenate([is_second, 1 - is_second]))
    return Calibrator(
        kind="isotonic",
        are_probabilities=are_probabilities,
        differences=tuple(isotonic.X_thresholds_.tolist()),
        probabilities=tuple(isotonic.y_thresholds_.tolist()),
    )
