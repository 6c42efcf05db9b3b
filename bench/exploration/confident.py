"""Confident learning: probable label errors from probabilities that no clip's own label was trained on.

Conventions: `y` holds the class of every label as its number, shape=(n_clips,); `p` the probabilities,
shape=(n_clips, n_classes), from models that were not fitted to the clip.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from bench.metrics import Floats

Codes = npt.NDArray[np.intp]

TOLERANCE = 1e-5
"""Largest distance from 1 of the sum of a clip's probabilities."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelQuality:
    """How well every label agrees with the probabilities.

    Parameters
    ----------
    quality : np.ndarray, shape=(n_clips,), in [0, 1]
        Probability of the label (self-confidence); lower is more suspicious.
    suggestion : np.ndarray, shape=(n_clips,), dtype=int
        Class that the clip probably is of: for a suspect that of the largest margin, else the most probable.
    is_suspect : np.ndarray, shape=(n_clips,), dtype=bool
        Whether the label is probably wrong.
    n_errors : float
        Estimated number of wrong labels; it also counts those that cannot be pointed at.
    accuracy : float
        Share of the clips whose most probable class is their label, in [0, 1]; where it is low, most suspects
        are errors of the model.
    """

    quality: npt.NDArray[np.float64]
    suggestion: npt.NDArray[np.intp]
    is_suspect: npt.NDArray[np.bool_]
    n_errors: float
    accuracy: float

    @property
    def order(self) -> Codes:
        """Return the indices of the clips: suspects first, then the lowest quality."""
        return np.lexsort((self.quality, ~self.is_suspect))


def label_quality(y: Codes, p: Floats) -> LabelQuality:
    """Return the quality of every label, and the suspects, as many as the confident joint says (noise rates).

    A class is confident for a clip if its probability is at least the mean probability of that class over
    the clips with its label. Counts of labels against the most probable confident class, calibrated to the
    number of clips with each label, estimate how many clips of a label i are of a class j; that many with the
    largest margin between the two probabilities are suspects, unless the label is the most probable class.

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 70,
    2021: equations 1 to 3 (the confident joint and its calibration), and "prune by noise rate".
    """
    joint = _calibrated_joint(y, p)
    likeliest = p.argmax(axis=1)
    is_suspect, suggestion, margin = np.zeros(len(y), dtype=bool), likeliest.copy(), np.zeros(len(y))
    for label, other in zip(*np.nonzero(np.rint(joint * ~np.eye(len(joint), dtype=bool))), strict=True):
        clips = np.flatnonzero(y == label)
        margins = p[clips, other] - p[clips, label]
        largest = np.argsort(-margins, kind="stable")[: round(joint[label, other])]
        clips, margins = clips[largest], margins[largest]
        larger = margins > margin[clips]
        margin[clips[larger]], suggestion[clips[larger]] = margins[larger], other
        is_suspect[clips] = True
    is_suspect &= likeliest != y
    return LabelQuality(
        quality=p[np.arange(len(y)), y],
        suggestion=np.where(is_suspect, suggestion, likeliest),
        is_suspect=is_suspect,
        n_errors=float(joint.sum() - np.trace(joint)),
        accuracy=float((likeliest == y).mean()),
    )


def _calibrated_joint(y: Codes, p: Floats) -> Floats:
    """Return the estimated number of clips with label i that are of class j, shape=(n_classes, n_classes)."""
    n_classes = p.shape[1]
    counts = np.bincount(y, minlength=n_classes)
    thresholds = np.full(n_classes, np.inf)
    for label in np.flatnonzero(counts):
        thresholds[label] = p[y == label, label].mean()
    confident = np.where(p >= thresholds, p, -1.0)
    rows = (confident >= 0).any(axis=1)
    joint = np.zeros((n_classes, n_classes))
    np.add.at(joint, (y[rows], confident[rows].argmax(axis=1)), 1)
    totals = joint.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, joint / np.maximum(totals, 1), np.eye(n_classes))
    return np.asarray(counts[:, None] * shares)


def are_probabilities(scores: Floats) -> bool:
    """Return whether scores per class, shape=(n_clips, n_classes), are probabilities."""
    in_range = bool(((scores >= 0) & (scores <= 1 + TOLERANCE)).all())
    return in_range and bool((np.abs(scores.sum(axis=1) - 1) <= TOLERANCE).all())


def calibrated(scores: Floats, y: Codes) -> Floats:
    """Return probabilities of decision values: their softmax, at the temperature of the lowest log loss.

    A single number is fitted to all clips; -inf is the value of a class that a fold was not trained on.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017.
    """
    values = scores / max(float(np.std(scores[np.isfinite(scores)])), 1e-9)
    rows = np.arange(len(y))

    def loss(log_sharpness: float) -> float:
        log_p = log_softmax(np.exp(log_sharpness) * values, axis=1)[rows, y]
        return float(-log_p[np.isfinite(log_p)].mean())

    sharpness = np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x)
    return np.asarray(softmax(sharpness * values, axis=1))
