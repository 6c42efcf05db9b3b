"""Bayesian comparison of two systems over several data sets, by the package baycomp (the extra `bayes`)."""

import contextlib
import tempfile
from functools import partial
from unittest import mock

import numpy as np

from bench.metrics import Floats

TOLERANCE = 1e-9
"""Differences of folds that are equal up to this are equal."""

N_SAMPLES = 10_000
"""Number of samples of each of four chains; baycomp's own."""


def hierarchical(first: Floats, second: Floats, rope: float) -> tuple[float, float, float]:
    """Return the probabilities that on a further data set the first is better, both are alike, the second is.

    Parameters
    ----------
    first, second : Floats
        Scores of the same folds, higher is better, shape=(n_datasets, n_folds); two folds or more.
    rope : float
        Largest difference of scores that are alike in practice.

    Raises
    ------
    ImportError
        Without baycomp or pystan.

    References
    ----------
    Corani, Benavoli, Demsar, Mangili and Zaffalon, "Statistical comparison of classifiers through Bayesian
    hierarchical modelling", Machine Learning 106, 2017. Benavoli, Corani, Demsar and Zaffalon, "Time for a
    change: a tutorial for comparing multiple classifiers through Bayesian analysis", JMLR 18, 2017.
    """
    import baycomp
    import stan

    seeded = partial(stan.build, random_seed=0)  # baycomp gives no seed
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),  # baycomp loads and writes a pickle in the working folder
        mock.patch.object(stan, "build", seeded),
    ):
        spread = second + _noise(second - first, rope)
        left, alike, right = baycomp.HierarchicalTest.probs(first, spread, rope=rope, nsamples=N_SAMPLES)
    return float(left), float(alike), float(right)


def _noise(differences: Floats, rope: float) -> Floats:
    """Return noise of mean 0 up to `rope` for data sets whose folds all differ alike, else 0.

    The model needs a spread in every data set. baycomp adds one, but fails on an odd number of folds.
    """
    n_datasets, n_folds = differences.shape
    half = np.random.default_rng(0).uniform(-rope, rope, (n_datasets, n_folds // 2))
    noise = np.hstack([half, np.zeros((n_datasets, n_folds % 2)), -half])
    is_constant = np.ptp(differences, axis=1, keepdims=True) < TOLERANCE
    return np.where(is_constant, noise, 0.0)
