"""Reliability: how often probabilities are right, against what they say."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from bench.metrics import BUILT_IN, Floats, Predicted
from bench.metrics.base import Codes
from bench.metrics.scores import BINS

N_DRAWS = 200
"""Number of draws of labels for the error that chance leaves of calibrated probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Clips whose confidence is above `low` and at most `high`.

    Parameters
    ----------
    confidence : float
        Mean probability of the most probable class.
    accuracy : float
        Share of clips for which that class is right.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    n_clips: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Agreement of probabilities with labels.

    The confidence of a clip is the probability of its most probable class.

    Parameters
    ----------
    ece : float
        Expected calibration error over `bench.metrics.scores.BINS` bins of equal width, as the metric `ece`.
    chance_ece : float
        Mean error of probabilities that are calibrated, for as many clips: what chance leaves of `ece`.
    brier, log_loss : float
        As the metrics of these names.
    bins : tuple[Bin, ...]
        Bins with clips, in ascending order.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017. Bröcker and Smith, "Increasing the
    reliability of reliability diagrams", Weather and Forecasting 22, 2007 (`chance_ece`).
    """

    ece: float
    chance_ece: float
    brier: float
    log_loss: float
    bins: tuple[Bin, ...]

    @classmethod
    def of(cls, probabilities: Floats, label: Codes, seed: int = 0) -> Self:
        """Return the reliability of probabilities.

        Parameters
        ----------
        probabilities : np.ndarray, shape=(n_clips, n_classes)
            In [0, 1].
        label : np.ndarray, shape=(n_clips,)
            Index of every clip's class.
        """
        number = np.arange(probabilities.shape[1])
        top = probabilities.argmax(axis=1)
        # Indices are their own order, which names of classes as texts are not.
        predicted = Predicted(label, top, number, probabilities)  # type: ignore[arg-type]
        confidence, is_right = probabilities.max(axis=1), (top == label).astype(float)
        place = np.clip(np.ceil(confidence * BINS).astype(np.intp) - 1, 0, BINS - 1)
        return cls(
            **{name: BUILT_IN[name].score(predicted) for name in ("ece", "brier", "log_loss")},
            chance_ece=_chance_error(confidence, place, seed),
            bins=tuple(
                Bin(
                    low=int(i) / BINS,
                    high=(int(i) + 1) / BINS,
                    confidence=float(confidence[place == i].mean()),
                    accuracy=float(is_right[place == i].mean()),
                    n_clips=int((place == i).sum()),
                )
                for i in np.unique(place)
            ),
        )


def _chance_error(confidence: Floats, place: Codes, seed: int) -> float:
    """Return the mean calibration error of labels that are drawn with the probabilities that are said."""
    rng = np.random.default_rng(seed)
    errors = []
    for _ in range(N_DRAWS):
        gaps = np.bincount(place, (rng.random(len(confidence)) < confidence) - confidence, BINS)
        errors.append(np.abs(gaps).sum() / len(confidence))
    return float(np.mean(errors))
