"""Support vector machines by scikit-learn."""

from typing import Any, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from bench.heads.parts import parts
from bench.types import Embeddings, Labels

MATRIX_ROWS = 8192
"""The kernel of so many clips takes 0.5 GiB; of more, libsvm computes the parts that it needs."""


class SVM(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """`sklearn.svm.SVC` whose RBF kernel is one product of matrices: the same machine, several times faster.

    It gives decision values, and no probabilities, which cost libsvm five more fits.

    Parameters
    ----------
    C, gamma
        As in SVC.
    """

    def __init__(self, C: float = 1.0, gamma: float | str = "scale") -> None:
        self.C = C
        self.gamma = gamma

    def fit(self, X: Embeddings, y: Labels) -> Self:
        """Fit the machine, shape of X = (n_clips, dim)."""
        X = np.asarray(X, dtype=np.float64)
        self.gamma_ = 1.0 / (X.shape[1] * X.var() or 1.0) if self.gamma == "scale" else self.gamma
        self.known_ = X if len(X) <= MATRIX_ROWS else None
        kernel = "rbf" if self.known_ is None else "precomputed"
        self.machine_ = SVC(C=self.C, gamma=self.gamma_, kernel=kernel).fit(self._seen(X), y)
        self.classes_ = self.machine_.classes_
        return self

    def predict(self, X: Embeddings) -> Labels:
        """Return the label of each row that wins most of the comparisons of two classes."""
        return np.asarray(self.machine_.predict(self._seen(X)))

    def decision_function(self, X: Embeddings) -> Any:
        """Return the decision values, shape=(n_clips, n_classes), or (n_clips,) of two classes."""
        return self.machine_.decision_function(self._seen(X))

    def _seen(self, X: Embeddings) -> Any:
        """Return what the machine takes: the kernel between X and what it was fitted to, or X itself."""
        if self.known_ is None:
            return X
        return rbf_kernel(np.asarray(X, dtype=np.float64), self.known_, gamma=self.gamma_)


class CalibratedSVM(SVM):
    """`SVM` with probabilities: the softmax of its decision values at one temperature.

    The temperature is what suits best the groups held out from a machine of its own; the machine that
    predicts is fitted to all. That is two fits, where libsvm's probabilities take six.

    References
    ----------
    Guo et al., "On calibration of modern neural networks", ICML 2017.
    """

    def fit(self, X: Embeddings, y: Labels, groups: Labels | None = None) -> Self:
        """Fit the machine, and its temperature on groups that may not stand in both parts."""
        _, codes = np.unique(y, return_inverse=True)
        learnt, held_out = parts(codes, groups, seed=0)
        self.sharpness_ = 1.0
        if len(held_out):
            super().fit(X[learnt], y[learnt])
            self.sharpness_ = _sharpness(_by_class(super().decision_function(X[held_out])), codes[held_out])
        return super().fit(X, y)

    def predict_proba(self, X: Embeddings) -> Any:
        """Return the probabilities, shape=(n_clips, n_classes), columns as in `classes_`."""
        return softmax(self.sharpness_ * _by_class(self.decision_function(X)), axis=1)


def _by_class(values: Any) -> Any:
    """Return decision values with a column per class."""
    return np.column_stack([-values, values]) if values.ndim == 1 else values


def _sharpness(values: Any, codes: Any) -> float:
    """Return one over the temperature of the least log loss."""

    def loss(log_sharpness: float) -> float:
        found = log_softmax(np.exp(log_sharpness) * values, axis=1)
        return float(-found[np.arange(len(codes)), codes].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))
