"""Interval of a procedure's expected score, from the folds of a repeated cross-validation."""

import numpy as np
from scipy import stats

from bench.stats.intervals import LEVEL


def expected_bounds(
    value: float, folds: list[float], test_per_train: float, n_groups: int
) -> tuple[float, float] | None:
    """Return the 95 % interval of the score that fits to other training sets have on average.

    The folds of a repeated cross-validation share their clips, so that their plain variance is too small: it
    is multiplied with 1 / n_folds + n_test / n_train. The degrees of freedom are those of the folds, and at
    most those of the groups, which all repeats share.

    Parameters
    ----------
    value : float
        Score over all folds.
    folds : list[float]
        Score of every fold of every repeat.
    test_per_train : float
        Clips of a fold's test side per clip of its training side.
    n_groups : int
        Number of groups.

    Returns
    -------
    tuple[float, float] | None
        None for fewer than two folds or groups, and for folds that are all equal, which bound nothing.

    Examples
    --------
    >>> low, high = expected_bounds(0.8, [0.7, 0.8, 0.9, 0.8], test_per_train=0.25, n_groups=50)
    >>> round(low, 3), round(high, 3)
    (0.616, 0.984)

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52, 2003. Bouckaert and
    Frank, "Evaluating the replicability of significance tests for comparing learning algorithms", PAKDD, 2004
    (for repeated cross-validation).
    """
    df = min(len(folds), n_groups) - 1
    if df < 1 or np.ptp(folds) == 0:
        return None
    error = np.sqrt((1 / len(folds) + test_per_train) * np.var(folds, ddof=1))
    half = float(error * stats.t.ppf((1 + LEVEL) / 2, df))
    return value - half, value + half
