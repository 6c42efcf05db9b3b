"""Gaussian mixture models, one per class."""

from typing import Any, Self

import numpy as np
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.mixture import GaussianMixture

from bench.types import Labels, Samples


class Mixtures(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """The class whose mixture of diagonal Gaussians gives a clip the highest likelihood.

    A clip is one vector or all its frames, whose log-likelihoods are summed. These say how usual and how long
    a clip is, more than what it is: scores are their ratios, which compare between clips.

    Parameters
    ----------
    n_components : int
        Number of Gaussians per class; a class with fewer vectors has one per vector.
    n_init, random_state
        As in `sklearn.mixture.GaussianMixture`.

    References
    ----------
    Reynolds and Rose, "Robust text-independent speaker identification using Gaussian mixture speaker models",
    IEEE Transactions on Speech and Audio Processing, 1995.
    """

    def __init__(self, n_components: int = 16, n_init: int = 1, random_state: int = 0) -> None:
        self.n_components = n_components
        self.n_init = n_init
        self.random_state = random_state

    def fit(self, X: Samples, y: Labels) -> Self:
        """Fit one mixture per class to the vectors or frames of its clips."""
        y = np.asarray(y)
        self.classes_ = np.unique(y)
        self.mixtures_ = []
        for label in self.classes_:
            vectors = np.concatenate([np.atleast_2d(X[int(row)]) for row in np.flatnonzero(y == label)])
            n_components = min(self.n_components, len(vectors))
            if len(vectors) == 1:  # scikit-learn needs two; equal ones give the narrowest Gaussian
                vectors = np.repeat(vectors, 2, axis=0)
            mixture = GaussianMixture(
                n_components,
                covariance_type="diag",
                n_init=self.n_init,
                random_state=self.random_state,
            )
            self.mixtures_.append(mixture.fit(np.asarray(vectors, dtype=np.float64)))
        return self

    def decision_function(self, X: Samples) -> Any:
        """Return log-likelihood ratios, shape=(n_clips, n_classes), columns as in `classes_`.

        A ratio is to the mean likelihood of the other classes: the log odds of the posterior at equal priors,
        up to a constant. Unlike a probability, it does not saturate for a long clip.
        """
        likelihoods = self._log_likelihoods(X)
        if len(self.classes_) == 1:
            return np.zeros_like(likelihoods)
        others = [
            logsumexp(np.delete(likelihoods, code, axis=1), axis=1) for code in range(len(self.classes_))
        ]
        return likelihoods - np.stack(others, axis=1) + np.log(len(self.classes_) - 1)

    def predict(self, X: Samples) -> Labels:
        """Return the most likely label of every clip."""
        return np.asarray(self.classes_[self._log_likelihoods(X).argmax(axis=1)])

    def _log_likelihoods(self, X: Samples) -> Any:
        """Return the log-likelihood of every clip by every class, shape=(n_clips, n_classes)."""
        clips = [np.atleast_2d(clip).astype(np.float64) for clip in X]
        stacked = np.concatenate(clips)
        starts = np.cumsum([0, *(len(clip) for clip in clips[:-1])])
        likelihoods = [np.add.reduceat(mixture.score_samples(stacked), starts) for mixture in self.mixtures_]
        return np.stack(likelihoods, axis=1)
