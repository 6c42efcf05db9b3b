"""Gradient-boosted decision trees by XGBoost."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from xgboost import XGBClassifier

from bench.types import Embeddings, Labels


class GBDT(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """`xgboost.XGBClassifier` for labels of any type; XGBoost itself accepts only 0 to n_classes - 1.

    It runs on one thread by default: the order of floating-point sums, and so the trees, depends on the
    number of threads.

    Parameters
    ----------
    n_estimators, max_depth, learning_rate, max_bin, colsample_bytree, random_state, n_jobs
        As in XGBoost.
    """

    def __init__(
        self,
        n_estimators: int = 100,
        max_depth: int = 6,
        learning_rate: float = 0.3,
        max_bin: int = 256,
        colsample_bytree: float = 1.0,
        random_state: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.max_bin = max_bin
        self.colsample_bytree = colsample_bytree
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Embeddings, y: Labels) -> Self:
        """Fit the trees to X, shape=(n_clips, dim)."""
        self.encoder_ = LabelEncoder().fit(y)
        self.classes_ = self.encoder_.classes_
        self.trees_ = XGBClassifier(tree_method="hist", **self.get_params())
        self.trees_.fit(X, self.encoder_.transform(y))
        return self

    def predict(self, X: Embeddings) -> Labels:
        """Return the most probable label of every clip."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def predict_proba(self, X: Embeddings) -> Any:
        """Return the probabilities, shape=(n_clips, n_classes), columns as in `classes_`."""
        return self.trees_.predict_proba(X)
