"""Conformal prediction sets: classes that hold the label of a clip of an unheard group at a chosen rate."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from bench.calibration.held_out import group_weights
from bench.errors import UsageError
from bench.metrics import Floats
from bench.metrics.base import Bools, Codes

MOST_KNOTS = 1000
"""Largest number of knots; of more, some are merged into the next lower one, which makes sets larger."""

FEWEST_GROUPS = 20
"""Fewest groups for a guaranteed coverage; the guarantee costs at most 1 / (n_groups + 1) of it."""

ROUNDING = 1e-9
"""Difference of probabilities, and of weights, that counts as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """What held-out clips say about the probability of their label.

    A class is in the set of a clip if its probability is at least a threshold. The most probable class always
    is: no set is empty, and a model that is right more often than the coverage covers more clips.

    With `FEWEST_GROUPS` groups or more, the label of a clip of an unheard group, drawn like the others, is in
    the set with a probability of at least the coverage. With fewer, such sets would hold nearly every class:
    they cover the held-out clips at that rate instead, every group having the same weight, and the clips of
    unheard groups about as often, which nothing guarantees.

    Parameters
    ----------
    probabilities : tuple[float, ...]
        Probability of the label of held-out clips, ascending.
    weights : tuple[float, ...]
        Weight of each; every group has 1 in all.
    n_groups : int
        Number of groups of the held-out clips.

    References
    ----------
    Lee, Barber and Willett, "Distribution-free inference with hierarchical data", 2023 (the quantile over
    groups; with one clip per group it is split conformal prediction). Sadinle, Lei and Wasserman, "Least
    ambiguous set-valued classifiers", JASA 114, 2019 (the threshold of a probability).
    """

    probabilities: tuple[float, ...]
    weights: tuple[float, ...]
    n_groups: int

    @classmethod
    def fit(cls, probabilities: Floats, label: Codes, group: Codes) -> Self:
        """Return what held-out clips say.

        Parameters
        ----------
        probabilities : np.ndarray, shape=(n_clips, n_classes)
            Of models and calibrators that were not fitted to the clip's group, see `cross_fitted`.
        label : np.ndarray, shape=(n_clips,)
            Index of every clip's class.
        group : np.ndarray, shape=(n_clips,)
            Group of every clip, as a number from 0 without gaps.
        """
        of_label = probabilities[np.arange(len(label)), label]
        values, place = np.unique(of_label, return_inverse=True)
        weights = np.bincount(place, group_weights(group))
        if len(values) > MOST_KNOTS:
            first = np.unique(np.searchsorted(np.cumsum(weights), np.linspace(0, weights.sum(), MOST_KNOTS)))
            first = np.unique([0, *first[first < len(values)].tolist()])
            values, weights = values[first], np.add.reduceat(weights, first)
        return cls(
            probabilities=tuple(values.tolist()),
            weights=tuple(weights.tolist()),
            n_groups=int(group.max()) + 1,
        )

    def threshold(self, coverage: float) -> float:
        """Return the smallest probability of a class in a set; 0 for a coverage that no group allows.

        Parameters
        ----------
        coverage : float
            In (0, 1).

        Raises
        ------
        UsageError
            If the coverage is out of range.
        """
        if not 0 < coverage < 1:
            raise UsageError(f"--coverage {coverage:g}: expected a number between 0 and 1, such as 0.9")
        below = np.cumsum(self.weights) - self.weights  # weight of the clips whose label is left out
        unheard = int(self.n_groups >= FEWEST_GROUPS)  # one more group, whose labels are all left out
        allowed = (1 - coverage) * (self.n_groups + unheard) - unheard
        held = np.flatnonzero(below <= allowed + ROUNDING)
        return self.probabilities[held[-1]] if len(held) else 0.0

    def sets(self, probabilities: Floats, coverage: float) -> Bools:
        """Return whether each class is in the set of each clip, shape=(n_clips, n_classes).

        Raises
        ------
        UsageError
            As of `threshold`.
        """
        highest = probabilities.max(axis=1, keepdims=True)
        least = np.minimum(self.threshold(coverage), highest) - ROUNDING
        return np.asarray(probabilities >= least)
