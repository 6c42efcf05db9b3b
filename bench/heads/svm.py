"""Support vector machines, by scikit-learn."""

from typing import Any, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from bench.heads.inner_split import inner_split
from bench.types import Embeddings, Labels

MATRIX_ROWS = 8192
"""Largest number of training clips whose whole kernel is computed (0.5 GiB)."""


class SVM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """`sklearn.svm.SVC` with the RBF kernel as one matrix product: the same result, several times faster.

    It has decision values but no probabilities, for which libsvm needs five more fits.

    Parameters
    ----------
    C, gamma
        As in `sklearn.svm.SVC`.
    """

    def __init__(self, C: float = 1.0, gamma: float | str = "scale") -> None:
        self.C = C
        self.gamma = gamma

    def fit(self, X: Embeddings, y: Labels) -> Self:
        """Fit the machine to X, shape=(n_clips, dim)."""
        X = np.asarray(X, dtype=np.float64)
        self.gamma_ = 1.0 / (X.shape[1] * X.var() or 1.0) if self.gamma == "scale" else self.gamma
        # Model files hold this attribute: the name is part of their format.
        self.known_ = X if len(X) <= MATRIX_ROWS else None
        kernel = "rbf" if self.known_ is None else "precomputed"
        self.machine_ = SVC(C=self.C, gamma=self.gamma_, kernel=kernel).fit(self._kernel(X), y)
        self.classes_ = self.machine_.classes_
        return self

    def predict(self, X: Embeddings) -> Labels:
        """Return the label of every clip, by votes over all pairs of classes."""
        return np.asarray(self.machine_.predict(self._kernel(X)))

    def decision_function(self, X: Embeddings) -> Any:
        """Return the decision values, shape=(n_clips, n_classes), or (n_clips,) for two classes."""
        return self.machine_.decision_function(self._kernel(X))

    def _kernel(self, X: Embeddings) -> Any:
        """Return the input of libsvm: the kernel of X and the training clips, or X if they are too many."""
        if self.known_ is None:
            return X
        return rbf_kernel(np.asarray(X, dtype=np.float64), self.known_, gamma=self.gamma_)


class CalibratedSVM(SVM):
    """`SVM` with probabilities: the softmax of its decision values, at one temperature.

    The temperature has the lowest log loss on groups that a first machine was not fitted to; the machine that
    predicts is fitted to all groups. That takes two fits, where the probabilities of libsvm take six.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017.
    """

    def fit(self, X: Embeddings, y: Labels, groups: Labels | None = None) -> Self:
        """Fit the machine and its temperature.

        Parameters
        ----------
        groups : Labels | None
            Group of every clip, as in `inner_split`.
        """
        _, codes = np.unique(y, return_inverse=True)
        train, held_out = inner_split(codes, groups, seed=0)
        self.sharpness_ = 1.0
        if len(held_out):
            super().fit(X[train], y[train])
            self.sharpness_ = _sharpness(_by_class(super().decision_function(X[held_out])), codes[held_out])
        return super().fit(X, y)

    def predict(self, X: Embeddings) -> Labels:
        """Return the most probable label of every clip; votes over pairs of classes may tie, and differ."""
        return np.asarray(self.classes_[_by_class(self.decision_function(X)).argmax(axis=1)])

    def predict_proba(self, X: Embeddings) -> Any:
        """Return the probabilities, shape=(n_clips, n_classes), columns as in `classes_`."""
        return softmax(self.sharpness_ * _by_class(self.decision_function(X)), axis=1)


def _by_class(values: Any) -> Any:
    """Return decision values, shape=(n_clips, n_classes), also for two classes."""
    return np.column_stack([-values, values]) if values.ndim == 1 else values


def _sharpness(values: Any, codes: Any) -> float:
    """Return the inverse of the temperature with the lowest log loss."""

    def loss(log_sharpness: float) -> float:
        log_p = log_softmax(np.exp(log_sharpness) * values, axis=1)
        return float(-log_p[np.arange(len(codes)), codes].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))
