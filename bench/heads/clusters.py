"""Clusters of the training side, each with a label."""

from collections import Counter
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from bench.types import Embeddings, Labels

CHOICES = (1, 2, 3, 5, 8, 13, 20)
"""The numbers of Gaussians that the BIC chooses from."""


class Clusters(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """Clusters that are found without labels; each predicts the label that most of its training clips have.

    Parameters
    ----------
    method : str
        ``kmeans``, or ``gmm-bic`` for diagonal Gaussians as many as have the lowest BIC.
    n_clusters : int
        For k-means; 0 for as many as there are classes.
    random_state : int
        Of the initialisation.

    References
    ----------
    Schwarz, "Estimating the dimension of a model", The Annals of Statistics, 1978.
    """

    def __init__(self, method: str = "kmeans", n_clusters: int = 0, random_state: int = 0) -> None:
        self.method = method
        self.n_clusters = n_clusters
        self.random_state = random_state

    def fit(self, X: Embeddings, y: Labels) -> Self:
        """Find the clusters of X, shape=(n_clips, dim), and the label of each."""
        self.classes_ = np.unique(y)
        self.clusterer_ = self._mixture(X) if self.method == "gmm-bic" else self._kmeans(X)
        clusters = self.clusterer_.predict(X)
        frequent = Counter(y).most_common(1)[0][0]
        # A cluster without a training clip is possible for a Gaussian: it predicts the most frequent label.
        self.labels_ = [
            Counter(y[clusters == cluster]).most_common(1)[0][0] if (clusters == cluster).any() else frequent
            for cluster in range(self._n_found())
        ]
        return self

    def assign(self, X: Embeddings) -> Any:
        """Return the number of each clip's cluster."""
        return self.clusterer_.predict(X)

    def predict(self, X: Embeddings) -> Labels:
        """Return the label of each clip's cluster."""
        return np.asarray(np.array(self.labels_)[self.assign(X)])

    def _kmeans(self, X: Embeddings) -> Any:
        n_clusters = min(self.n_clusters or len(self.classes_), len(np.unique(X, axis=0)))
        return KMeans(n_clusters, n_init=10, random_state=self.random_state).fit(X)

    def _mixture(self, X: Embeddings) -> Any:
        n_most = len(np.unique(X, axis=0))
        options = {"covariance_type": "diag", "random_state": self.random_state, "reg_covar": 1e-3}
        fitted = [GaussianMixture(n, **options).fit(X) for n in CHOICES if n <= n_most]
        return min(fitted, key=lambda mixture: mixture.bic(X))

    def _n_found(self) -> int:
        return int(self.clusterer_.n_clusters if self.method == "kmeans" else self.clusterer_.n_components)
