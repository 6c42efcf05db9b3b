"""The value that metrics score, and the description of a metric.

Conventions: ``y_true`` and ``y_pred`` have shape=(n_clips,), class scores shape=(n_clips, n_classes), weights
of clips shape=(n_draws, n_clips).
"""

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
"""Weights of clips, shape=(n_draws, n_clips), or a metric's values, shape=(n_draws,)."""

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]
"""Classes or groups as numbers from 0, shape=(n_clips,)."""

Input = Literal["labels", "scores", "probabilities"]
"""What a metric is computed from: labels alone, scores per class, or scores that are probabilities."""


Over = Literal["clips", "recalls", "classes"]
"""What a metric is: a mean over clips, the mean recall of classes, or another one that depends on classes."""


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Labels and predictions of clips.

    Parameters
    ----------
    y_true, y_pred : Labels
        shape=(n_clips,).
    classes : Labels
        Every class of the labels, the predictions and the scores; sorted, shape=(n_classes,).
    scores : np.ndarray | None
        Probabilities or decision values, shape=(n_clips, n_classes), columns in the order of `classes`; None
        for a head without them.
    fold : Labels | None
        Fold of every clip, shape=(n_clips,): scores of two folds are those of two models. None for one fold.
    """

    y_true: Labels
    y_pred: Labels
    classes: Labels
    scores: Floats | None = None
    fold: Labels | None = None

    @classmethod
    def of(cls, table: pd.DataFrame) -> Self:
        """Return the predictions in a table with `y_true`, `y_pred`, and perhaps `fold` and ``score_CLASS``.

        A missing score becomes the lowest of its row's possible scores: a fold never predicts a class that it
        did not train on.
        """
        y_true, y_pred = (table[name].to_numpy(dtype=str) for name in ("y_true", "y_pred"))
        columns = [str(name) for name in table.columns if str(name).startswith(SCORE_PREFIX)]
        names = {name.removeprefix(SCORE_PREFIX) for name in columns}
        classes = np.array(sorted({*y_true.tolist(), *y_pred.tolist(), *names}))
        if not columns:
            return cls(y_true, y_pred, classes)
        fold = table["fold"].to_numpy(dtype=str) if "fold" in table.columns else None
        scores = table.reindex(columns=[f"{SCORE_PREFIX}{name}" for name in classes]).to_numpy(np.float64)
        lowest = 0.0 if np.nanmin(scores) >= 0 else np.nanmin(scores) - 1.0
        return cls(y_true, y_pred, classes, np.where(np.isnan(scores), lowest, scores), fold)

    def take(self, rows: Any) -> Self:
        """Return the predictions of some clips, by row numbers or by a mask."""
        scores, fold = (None if values is None else values[rows] for values in (self.scores, self.fold))
        return type(self)(self.y_true[rows], self.y_pred[rows], self.classes, scores, fold)

    @property
    def codes(self) -> tuple[Codes, Codes]:
        """Return the labels and the predictions as indices into `classes`, faster to compare than names."""
        return np.searchsorted(self.classes, self.y_true), np.searchsorted(self.classes, self.y_pred)

    @property
    def one_hot(self) -> Bools:
        """Return whether each clip has each class as its label, shape=(n_clips, n_classes)."""
        return np.asarray(self.y_true[:, None] == self.classes)

    @property
    def class_scores(self) -> Floats:
        """Return the scores, shape=(n_clips, n_classes).

        Raises
        ------
        ValueError
            If the head gives no scores.
        """
        if self.scores is None:
            raise ValueError("these predictions have no scores per class")
        return self.scores

    @property
    def inputs(self) -> frozenset[Input]:
        """Return the kinds of metrics that these predictions allow."""
        if self.scores is None:
            return frozenset({"labels"})
        sums = self.scores.sum(axis=1)
        if self.scores.min() >= 0 and np.allclose(sums, 1.0, atol=1e-3):
            return frozenset({"labels", "scores", "probabilities"})
        return frozenset({"labels", "scores"})


GroupScorer = Callable[[Floats], Floats]
"""Number of times that every group is drawn, shape=(n_draws, n_groups) -> values, shape=(n_draws,)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A score with its range and its direction.

    Parameters
    ----------
    score : Callable[[Predicted], float]
        Value over all clips.
    draw_scores : Callable[[Predicted, Floats], Floats]
        Value of every draw, shape=(n_draws,), from the weight of every clip in it, shape=(n_draws, n_clips).
    needs : Input
        What the metric is computed from.
    low, high : float
        Lowest and highest possible value.
    degenerate : str
        Value where the metric is undefined, in words.
    over : Over
        What the metric is over, on which its interval depends.
    group_scorer : Callable[[Predicted, np.ndarray, int], GroupScorer] | None
        A faster `draw_scores` for a metric of sums over groups: called with the group of every clip as a
        number, shape=(n_clips,), and the number of groups.
    origin : str
        The distribution that provides the metric, and its version; empty for a built-in metric.
    """

    name: str
    about: str
    score: Callable[[Predicted], float]
    draw_scores: Callable[[Predicted, Floats], Floats]
    needs: Input = "labels"
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    degenerate: str = ""
    over: Over = "classes"
    group_scorer: Callable[[Predicted, Codes, int], GroupScorer] | None = None
    origin: str = ""

    @classmethod
    def of(cls, name: str, function: Callable[[Labels, Labels], float], about: str) -> Self:
        """Return the metric of a function of labels and predictions, with scikit-learn's signature.

        Its range is unlimited, higher is better, and its interval takes one call for each draw.
        """

        def draw_scores(p: Predicted, weights: Floats) -> Floats:
            clips = np.arange(len(p.y_true))
            draws = (np.repeat(clips, counts.astype(int)) for counts in weights)
            return np.array([function(p.y_true[rows], p.y_pred[rows]) for rows in draws], dtype=np.float64)

        return cls(
            name=name,
            about=about,
            score=lambda p: float(function(p.y_true, p.y_pred)),
            draw_scores=draw_scores,
            low=-math.inf,
            high=math.inf,
        )


def sums(weights: Floats, codes: Codes, n_classes: int) -> Floats:
    """Return the sum of the weights of every class, shape=(n_draws, n_classes)."""
    members = csr_array((np.ones(len(codes)), (np.arange(len(codes)), codes)), (len(codes), n_classes))
    return np.asarray((members.T @ weights.T).T)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, and 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)
