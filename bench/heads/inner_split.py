"""The inner split: training clips that a head holds out to choose something, such as when to stop."""

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from bench.types import Labels

INNER_FOLDS = 5
"""Number of folds, one of which is held out."""


def inner_split(
    codes: npt.NDArray[np.intp], groups: Labels | None, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the rows to train on and the rows to hold out, which share no group.

    No rows are held out if a class has a single group or would be absent from the rows to train on.

    Parameters
    ----------
    codes : np.ndarray, shape=(n_clips,)
        Classes as integers from 0.
    groups : Labels | None
        Group of every clip; None if every clip is its own group.
    """
    all_rows = np.arange(len(codes))
    group = all_rows.astype(str) if groups is None else groups
    n_groups = min(len(set(group[codes == code].tolist())) for code in np.unique(codes))
    if n_groups < 2:
        return all_rows, all_rows[:0]
    splitter = StratifiedGroupKFold(min(INNER_FOLDS, n_groups), shuffle=True, random_state=seed)
    train, held_out = next(iter(splitter.split(codes, codes, group)))
    # A class may lose all its rows if its groups also hold other classes.
    complete = len(np.unique(codes[train])) == len(np.unique(codes))
    return (train, held_out) if complete else (all_rows, all_rows[:0])
