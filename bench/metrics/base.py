"""What metrics are made of: predictions as arrays, and what a metric is."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from bench.types import SCORE_PREFIX, Labels

Floats = npt.NDArray[np.float64]
"""Weights, shape=(n_draws, n_clips), or what a metric makes of each draw, shape=(n_draws,)."""

Needs = Literal["labels", "scores", "probabilities"]


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """What was predicted of some clips.

    Parameters
    ----------
    scores : np.ndarray | None
        shape=(n_clips, n_classes), columns as in `classes`: probabilities or decision values.
    classes : Labels
        Sorted: all that occur.
    """

    y_true: Labels
    y_pred: Labels
    classes: Labels
    scores: Floats | None = None

    @classmethod
    def of(cls, table: pd.DataFrame) -> Self:
        """Return what a table of predictions holds: `y_true`, `y_pred` and columns ``score_CLASS``."""
        y_true, y_pred = (table[name].to_numpy(dtype=str) for name in ("y_true", "y_pred"))
        columns = [str(name) for name in table.columns if str(name).startswith(SCORE_PREFIX)]
        names = {name.removeprefix(SCORE_PREFIX) for name in columns}
        classes = np.array(sorted({*y_true.tolist(), *y_pred.tolist(), *names}))
        if not columns:
            return cls(y_true, y_pred, classes)
        scores = table.reindex(columns=[f"{SCORE_PREFIX}{name}" for name in classes]).to_numpy(np.float64)
        # A class that a fold was not taught has no score there: it is the least likely one.
        least = 0.0 if np.nanmin(scores) >= 0 else np.nanmin(scores) - 1.0
        return cls(y_true, y_pred, classes, np.where(np.isnan(scores), least, scores))

    @property
    def codes(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return the places of labels and predictions in `classes`, which compare faster than names."""
        return np.searchsorted(self.classes, self.y_true), np.searchsorted(self.classes, self.y_pred)

    def take(self, rows: Any) -> Self:
        """Return what was predicted of some of the clips."""
        scores = None if self.scores is None else self.scores[rows]
        return type(self)(self.y_true[rows], self.y_pred[rows], self.classes, scores)

    @property
    def given(self) -> frozenset[Needs]:
        """Return what metrics can build on: labels, and perhaps scores or even probabilities."""
        if self.scores is None:
            return frozenset({"labels"})
        sums = self.scores.sum(axis=1)
        if self.scores.min() >= 0 and np.allclose(sums, 1.0, atol=1e-3):
            return frozenset({"labels", "scores", "probabilities"})
        return frozenset({"labels", "scores"})

    @property
    def known(self) -> Floats:
        """Return the scores.

        Raises
        ------
        ValueError
            If the head gave none.
        """
        if self.scores is None:
            raise ValueError("these predictions have no scores per class")
        return self.scores

    @property
    def truth(self) -> npt.NDArray[np.bool_]:
        """Return which class each clip is of, shape=(n_clips, n_classes)."""
        return np.asarray(self.y_true[:, None] == self.classes)


Drawn = Callable[[Floats], Floats]
"""How often each group is drawn, shape=(n_draws, n_groups) -> a metric of each draw, shape=(n_draws,)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A score, its range and direction, what it needs, and what it is where it has no meaning.

    Parameters
    ----------
    resampled : Callable[[Predicted, Floats], Floats]
        The same of draws, given the weight of every clip in each, shape=(n_draws, n_clips).
    grouped : Callable[[Predicted, np.ndarray, int], Drawn] | None
        The same given the group of every clip, shape=(n_clips,), and the number of groups, where sums over
        groups are all that a draw needs.
    origin : str
        The distribution that brings it, and its version; empty for the built-in ones.
    """

    name: str
    about: str
    score: Callable[[Predicted], float]
    resampled: Callable[[Predicted, Floats], Floats]
    needs: Needs = "labels"
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    degenerate: str = ""
    grouped: Callable[[Predicted, npt.NDArray[np.intp], int], Drawn] | None = None
    origin: str = ""

    @classmethod
    def of(cls, name: str, function: Callable[[Labels, Labels], float], about: str) -> Self:
        """Return the metric of a function of labels and predictions, as scikit-learn's are called.

        Higher is better, and its interval takes a call for each draw.
        """

        def resampled(p: Predicted, weights: Floats) -> Floats:
            rows = (np.repeat(np.arange(len(p.y_true)), draw.astype(int)) for draw in weights)
            return np.array([function(p.y_true[drawn], p.y_pred[drawn]) for drawn in rows], dtype=np.float64)

        return cls(
            name,
            about,
            lambda p: float(function(p.y_true, p.y_pred)),
            resampled,
            low=-math.inf,
            high=math.inf,
        )


def sums(weights: Floats, codes: npt.NDArray[np.intp], n_classes: int) -> Floats:
    """Return the sum of the weights of each class, shape=(n_draws, n_classes)."""
    members = csr_array((np.ones(len(codes)), (np.arange(len(codes)), codes)), (len(codes), n_classes))
    return np.asarray((members.T @ weights.T).T)


def ratio(above: Floats, below: Floats) -> Floats:
    """Return a quotient, 0 where it has none."""
    return np.divide(above, below, out=np.zeros_like(above), where=below != 0)
