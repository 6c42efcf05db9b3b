"""Inner splits: a part of the training side that a head holds out for a choice of its own."""

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from bench.types import Labels

INNER_FOLDS = 5
"""One of so many parts of the training side is held out."""


def parts(
    codes: npt.NDArray[np.intp], groups: Labels | None, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the rows to fit to, and those of held out groups; none where a class has one group only.

    Parameters
    ----------
    codes : np.ndarray, shape=(n_clips,)
        Classes as numbers from 0.
    groups : Labels | None
        What may not stand in both; by default, every clip is a group.
    """
    everything = np.arange(len(codes))
    apart = everything.astype(str) if groups is None else groups
    n_groups = min(len(set(apart[codes == code].tolist())) for code in np.unique(codes))
    if n_groups < 2:
        return everything, everything[:0]
    splitter = StratifiedGroupKFold(min(INNER_FOLDS, n_groups), shuffle=True, random_state=seed)
    learnt, held_out = next(iter(splitter.split(codes, codes, apart)))
    # Groups of several classes may leave one of them untaught.
    whole = len(np.unique(codes[learnt])) == len(np.unique(codes))
    return (learnt, held_out) if whole else (everything, everything[:0])
