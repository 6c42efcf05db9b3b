"""Bayesian comparison of two systems over several data sets, by the package baycomp (the extra `bayes`)."""

import contextlib
import tempfile
from functools import partial
from unittest import mock

from bench.metrics import Floats

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
        left, alike, right = baycomp.HierarchicalTest.probs(first, second, rope=rope, nsamples=N_SAMPLES)
    return float(left), float(alike), float(right)
