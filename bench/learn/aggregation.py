"""From what was predicted of frames or segments to what is predicted of the clip that they are of.

Conventions: a vote goes to the label that most frames or segments have, of equal ones to the first in
alphabetical order; a mean is over their scores per class (probabilities, or else decision values).
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.types import SCORE_PREFIX, VOTES_PREFIX, Labels

KEPT = ["fold", "group", "y_true"]
"""Columns that are the same of all frames or segments of a clip."""


def of_frames(
    owner: npt.NDArray[np.intp], y_pred: Labels, scores: pd.DataFrame, classes: Labels
) -> pd.DataFrame:
    """Return a row per clip: `y_pred` by vote, a column of votes per class, and its frames' mean scores.

    Parameters
    ----------
    owner : np.ndarray, shape=(n_frames,)
        The clip of each frame; the rows are in the order of its sorted values.
    y_pred : Labels
        shape=(n_frames,).
    scores : pd.DataFrame
        shape=(n_frames, n_classes), or without columns.
    classes : Labels
        Sorted, shape=(n_classes,).
    """
    index, row = np.unique(owner, return_inverse=True)
    counts = np.zeros((len(index), len(classes)), dtype=np.int64)
    np.add.at(counts, (row, np.searchsorted(classes, y_pred)), 1)
    votes = pd.DataFrame(counts, columns=[f"{VOTES_PREFIX}{name}" for name in classes])
    means = scores.groupby(row).mean()
    return pd.concat([pd.DataFrame({"y_pred": classes[counts.argmax(axis=1)]}), votes, means], axis=1)


def frames(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per frame, with `fold`, `group`, `y_true` and `y_pred`, of predictions with votes."""
    votes = predictions.filter(regex=f"^{VOTES_PREFIX}")
    names = np.array([str(name).removeprefix(VOTES_PREFIX) for name in votes.columns])
    row, column = np.nonzero(votes.to_numpy())
    repeats = votes.to_numpy()[row, column]
    row, column = np.repeat(row, repeats), np.repeat(column, repeats)
    return predictions[KEPT].iloc[row].assign(y_pred=names[column])


def by_vote(predictions: pd.DataFrame, parent: Labels) -> pd.DataFrame:
    """Return a row per parent, with `fold`, `group`, `y_true` and `y_pred` by the vote of its segments."""
    groups = predictions.groupby(parent)
    voted = groups["y_pred"].agg(lambda labels: labels.mode().iloc[0])
    return groups[KEPT].first().assign(y_pred=voted)


def by_mean(predictions: pd.DataFrame, parent: Labels) -> pd.DataFrame:
    """Return a row per parent, with `fold`, `group`, `y_true` and `y_pred` by the mean scores of its rows."""
    scores = predictions.filter(regex=f"^{SCORE_PREFIX}")
    names = np.array([str(name).removeprefix(SCORE_PREFIX) for name in scores.columns])
    # A class that a fold never trained on has no score there.
    means = scores.groupby(parent).mean().fillna(-np.inf)
    first = predictions.groupby(parent)[KEPT].first()
    return first.assign(y_pred=names[means.to_numpy().argmax(axis=1)])
