"""An explanation: where in time, and at which frequencies, a recording speaks for a label."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from bench.types import Audio, Cell, Extractor, Unit, View

Values: TypeAlias = npt.NDArray[np.float64]

Method = Literal["saliency", "occlusion", "gradcam"]
"""What a user asks for; saliency is integrated gradients, or scores of windows without a gradient."""

Procedure = Literal["integrated-gradients", "windows", "occlusion", "gradcam"]
"""What computed an explanation."""

SMOOTHING = 0.1
"""Length over which a profile is averaged before its highest moment is taken, in s."""

SIGNIFICANCE = 0.05
"""Largest probability of as many hits by chance for an explanation that can point."""


class Classifier(Protocol):
    """What an explanation needs of a model."""

    @property
    def labels(self) -> Sequence[str]:
        """Return the classes, in the order of `probabilities`."""

    @property
    def cell(self) -> Cell:
        """Return the cell of the run, with the preprocessing of its extractor."""

    @property
    def extractor(self) -> Extractor:
        """Return the extractor."""

    @property
    def pipeline(self) -> Any:
        """Return the fitted pipeline of scikit-learn: steps, and the head as the last one."""

    @property
    def view(self) -> View:
        """Return the layer and the pooling of the features."""

    @property
    def unit(self) -> Unit:
        """Return what the head sees of a clip."""

    def probabilities(self, audio: Sequence[Audio]) -> npt.NDArray[np.floating]:
        """Return the probability of every label for every clip, shape=(n_clips, n_classes)."""
        ...

    def log_odds(self, audio: Sequence[Audio], label: str) -> npt.NDArray[np.floating]:
        """Return the log-odds of a label for every clip, shape=(n_clips,); NaN for a head without scores."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """How much each part of a recording speaks for a label.

    Parameters
    ----------
    times : np.ndarray, shape=(n_times,)
        Centres, in s.
    frequencies : np.ndarray | None, shape=(n_bands,)
        Centres, in Hz; None for a map over time alone.
    values : np.ndarray, shape=(n_times, n_bands) or (n_times,)
        Positive for parts that speak for the label, in the unit of the procedure.
    """

    times: Values
    frequencies: Values | None
    values: Values

    @property
    def profile(self) -> Values:
        """Return the values over time, summed over frequency and averaged over `SMOOTHING`."""
        profile = self.values.reshape(len(self.times), -1).sum(axis=1)
        step = self.times[1] - self.times[0] if len(self.times) > 1 else SMOOTHING
        width = min(2 * round(SMOOTHING / step / 2) + 1, len(profile))
        weights = np.ones(width)
        return np.asarray(
            np.convolve(profile, weights, "same") / np.convolve(weights, np.ones_like(profile), "same")
        )

    @property
    def peak(self) -> float:
        """Return the time of the highest moment, in s; the middle of several that are equal."""
        profile = self.profile
        highest = np.flatnonzero(profile >= profile.max() - 1e-12 * np.ptp(profile))
        return float(self.times[highest[len(highest) // 2]])


def has_gradient(head: Any) -> bool:
    """Return whether a fitted head is a network, or linear with probabilities."""
    return hasattr(head, "module_") or (hasattr(head, "coef_") and hasattr(head, "predict_proba"))


Explainer: TypeAlias = Callable[[Audio], Saliency]
"""Computes the saliency of a recording at the extractor's rate, for one model and label."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """Where a recording speaks for a label, and how well such a map points at planted events.

    Parameters
    ----------
    method : Procedure
        What computed it.
    label : str
        Label that it explains.
    times, frequencies, values
        As in `Saliency`.
    pointing : float
        Share of planted recordings whose highest moment is inside the event, in [0, 1].
    chance : float
        The same share for the best guess without listening, in [0, 1].
    n_planted : int
        Number of planted recordings.
    """

    method: Procedure
    label: str
    times: Values
    frequencies: Values | None
    values: Values
    pointing: float
    chance: float
    n_planted: int

    @property
    def can_point(self) -> bool:
        """Return whether it hits planted events more often than chance, by a one-sided binomial test."""
        hits = round(self.pointing * self.n_planted)
        test = binomtest(hits, self.n_planted, self.chance, alternative="greater")
        return bool(test.pvalue <= SIGNIFICANCE)
