"""Scores of held-out clips, and the groups that calibration is measured over."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from bench.metrics import Floats
from bench.metrics.base import Bools, Codes
from bench.types import SCORE_PREFIX, Labels

N_FOLDS = 5
"""Number of parts of the groups; each is calibrated by the others."""

TOLERANCE = 1e-3
"""Largest difference of 1 and the sum of a clip's scores that are probabilities."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Scores that the models of a run gave to the clips that they were not fitted to.

    Parameters
    ----------
    classes : Labels
        Every class of the labels and the scores; sorted, shape=(n_classes,).
    scores : np.ndarray
        Probabilities or decision values, shape=(n_clips, n_classes), columns in the order of `classes`; NaN
        for a class that the clip's model was not fitted to.
    label : np.ndarray
        Index of every clip's class in `classes`, shape=(n_clips,).
    group : np.ndarray
        Group of every clip as a number from 0, shape=(n_clips,).
    """

    classes: Labels
    scores: Floats
    label: Codes
    group: Codes

    @classmethod
    def of(cls, predictions: pd.DataFrame) -> Self | None:
        """Return the scores in a table of predictions.

        Parameters
        ----------
        predictions : pd.DataFrame
            Columns `y_true`, `group` and ``score_CLASS``.

        Returns
        -------
        HeldOut | None
            None for a head without scores, and with fewer than two classes.
        """
        columns = [str(name) for name in predictions.columns if str(name).startswith(SCORE_PREFIX)]
        y_true = predictions["y_true"].to_numpy(dtype=str)
        classes = np.array(sorted({*y_true.tolist(), *(name.removeprefix(SCORE_PREFIX) for name in columns)}))
        if not columns or len(classes) < 2:
            return None
        scores = predictions.reindex(columns=[f"{SCORE_PREFIX}{name}" for name in classes])
        group = np.unique(predictions["group"].to_numpy(dtype=str), return_inverse=True)[1]
        return cls(classes, scores.to_numpy(np.float64), np.searchsorted(classes, y_true), group)

    @property
    def n_groups(self) -> int:
        """Return the number of groups."""
        return int(self.group.max()) + 1 if len(self.group) else 0

    @property
    def are_probabilities(self) -> bool:
        """Return whether the scores are probabilities, and not decision values."""
        return bool(np.nanmin(self.scores) >= 0) and np.allclose(
            np.nansum(self.scores, axis=1), 1.0, atol=TOLERANCE
        )

    @property
    def is_possible(self) -> Bools:
        """Return whether the model of each clip was fitted to the clip's class, shape=(n_clips,)."""
        return np.asarray(~np.isnan(self.scores[np.arange(len(self.label)), self.label]))

    def take(self, clips: Any) -> Self:
        """Return the scores of some clips, by row numbers or by a mask; groups are numbered again."""
        group = np.unique(self.group[clips], return_inverse=True)[1]
        return type(self)(self.classes, self.scores[clips], self.label[clips], group)

    def parts(self, seed: int) -> Iterator[tuple[Bools, Bools]]:
        """Yield the clips of all other groups and those of a part of them, as masks, shape=(n_clips,)."""
        for part in group_parts(self.group, N_FOLDS, seed):
            yield ~part, part


def group_parts(group: Codes, n_parts: int, seed: int) -> list[Bools]:
    """Return the clips of each part of the groups, as masks, shape=(n_clips,); no more parts than groups.

    Parameters
    ----------
    group : np.ndarray
        Group of every clip as a number from 0, shape=(n_clips,).
    """
    n_groups = int(group.max()) + 1
    part = np.random.default_rng(seed).permutation(n_groups) % min(n_parts, n_groups)
    return [part[group] == number for number in range(min(n_parts, n_groups))]


def group_weights(group: Codes) -> Floats:
    """Return a weight per clip, shape=(n_clips,): 1 for every group, divided equally among its clips."""
    return np.asarray(1 / np.bincount(group)[group])
