"""Predictions of frames or segments -> predictions of their clips.

Conventions: a vote goes to the most frequent label, of equally frequent labels to the one with the highest
mean score, and without scores to the first one in alphabetical order; a mean is over scores per class, which
are probabilities or else decision values.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.types import SCORE_PREFIX, VOTES_PREFIX, Labels

CLIP_COLUMNS = ["fold", "group", "y_true"]
"""Columns with one value for all frames or segments of a clip."""


def frame_vote(
    clip: npt.NDArray[np.intp], y_pred: Labels, scores: pd.DataFrame, classes: Labels
) -> pd.DataFrame:
    """Return one row per clip: `y_pred` by vote, the votes for every class, and the mean scores.

    Parameters
    ----------
    clip : np.ndarray, shape=(n_frames,)
        Index of every frame's clip; the returned rows are in ascending order of it.
    y_pred : Labels
        shape=(n_frames,).
    scores : pd.DataFrame
        shape=(n_frames, n_classes), or without columns.
    classes : Labels
        Sorted, shape=(n_classes,).
    """
    clips, row = np.unique(clip, return_inverse=True)
    counts = np.zeros((len(clips), len(classes)), dtype=np.int64)
    np.add.at(counts, (row, np.searchsorted(classes, y_pred)), 1)
    votes = pd.DataFrame(counts, columns=[f"{VOTES_PREFIX}{name}" for name in classes])
    means = scores.groupby(row).mean()
    y_pred = classes[_winners(counts, _by_class(means, classes))]
    return pd.concat([pd.DataFrame({"y_pred": y_pred}), votes, means], axis=1)


def frames(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return one row per frame of predictions with votes: `fold`, `group`, `y_true` and `y_pred`."""
    votes = predictions.filter(regex=f"^{VOTES_PREFIX}")
    names = np.array([str(name).removeprefix(VOTES_PREFIX) for name in votes.columns])
    row, column = np.nonzero(votes.to_numpy())
    n_votes = votes.to_numpy()[row, column]
    row, column = np.repeat(row, n_votes), np.repeat(column, n_votes)
    return predictions[CLIP_COLUMNS].iloc[row].assign(y_pred=names[column])


def by_vote(predictions: pd.DataFrame, parent: Labels) -> pd.DataFrame:
    """Return one row per parent, with `fold`, `group`, `y_true`, and `y_pred` by the vote of its segments.

    Parameters
    ----------
    parent : Labels
        Clip that every row is a segment of, shape=(n_rows,).
    """
    first = predictions.groupby(parent)[CLIP_COLUMNS].first()
    classes, codes = np.unique(predictions["y_pred"].to_numpy(str), return_inverse=True)
    counts = np.zeros((len(first), len(classes)), dtype=np.int64)
    np.add.at(counts, (first.index.get_indexer(pd.Index(parent)), codes), 1)
    means = predictions.filter(regex=f"^{SCORE_PREFIX}").groupby(parent).mean()
    return first.assign(y_pred=classes[_winners(counts, _by_class(means, classes))])


def by_mean(predictions: pd.DataFrame, parent: Labels) -> pd.DataFrame:
    """Return one row per parent, with `fold`, `group`, `y_true`, and `y_pred` by its segments' mean scores.

    Parameters
    ----------
    parent : Labels
        Clip that every row is a segment of, shape=(n_rows,).
    """
    scores = predictions.filter(regex=f"^{SCORE_PREFIX}")
    names = np.array([str(name).removeprefix(SCORE_PREFIX) for name in scores.columns])
    # A class that a fold never trained on has no score and is never predicted.
    means = scores.groupby(parent).mean().fillna(-np.inf)
    first = predictions.groupby(parent)[CLIP_COLUMNS].first()
    return first.assign(y_pred=names[means.to_numpy().argmax(axis=1)])


def _by_class(means: pd.DataFrame, classes: Labels) -> npt.NDArray[np.float64]:
    """Return mean scores, shape=(n_clips, n_classes), NaN for a class without a score."""
    columns = [f"{SCORE_PREFIX}{name}" for name in classes]
    return means.reindex(columns=columns).to_numpy(dtype=np.float64)


def _winners(counts: npt.NDArray[np.int64], means: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return the class with the most votes, of equal ones that with the highest mean score, shape=(n_clips,).

    Parameters
    ----------
    counts, means : np.ndarray, shape=(n_clips, n_classes)
        Votes, and mean scores or NaN.
    """
    lowest = np.finfo(np.float64).min
    ties = counts == counts.max(axis=1, keepdims=True)
    return np.asarray(np.where(ties, np.nan_to_num(means, nan=lowest, neginf=lowest), -np.inf).argmax(axis=1))
