"""Clusters of the training clips as a classifier."""

from collections import Counter
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.mixture import GaussianMixture

from bench.types import Embeddings, Labels

N_GAUSSIANS = (1, 2, 3, 5, 8, 13, 20)
"""Numbers of Gaussians to choose from by the BIC."""


class Clusters(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """Clusters fitted without labels; a cluster predicts the most frequent label of its training clips.

    Parameters
    ----------
    method : str
        ``kmeans``, or ``gmm-bic`` for the number of diagonal Gaussians with the lowest BIC.
    n_clusters : int
        Number of clusters of k-means; 0 for the number of classes.
    random_state : int
        Seed of the initialisation.

    References
    ----------
    Schwarz, "Estimating the dimension of a model", The Annals of Statistics, 1978.
    """

    def __init__(self, method: str = "kmeans", n_clusters: int = 0, random_state: int = 0) -> None:
        self.method = method
        self.n_clusters = n_clusters
        self.random_state = random_state

    def fit(self, X: Embeddings, y: Labels) -> Self:
        """Fit the clusters of X, shape=(n_clips, dim), and choose the label of every cluster."""
        self.classes_ = np.unique(y)
        self.clusterer_ = self._mixture(X) if self.method == "gmm-bic" else self._kmeans(X)
        clusters = self.clusterer_.predict(X)
        frequent = Counter(y).most_common(1)[0][0]
        # A Gaussian may have no training clip; it predicts the most frequent label of all clips.
        self.labels_ = [
            Counter(y[clusters == cluster]).most_common(1)[0][0] if (clusters == cluster).any() else frequent
            for cluster in range(self._n_clusters())
        ]
        return self

    def assign(self, X: Embeddings) -> Any:
        """Return the cluster of every clip, shape=(n_clips,), integers from 0."""
        return self.clusterer_.predict(X)

    def predict(self, X: Embeddings) -> Labels:
        """Return the label of every clip's cluster."""
        return np.asarray(np.array(self.labels_)[self.assign(X)])

    def _kmeans(self, X: Embeddings) -> Any:
        n_clusters = min(self.n_clusters or len(self.classes_), len(np.unique(X, axis=0)))
        return KMeans(n_clusters, n_init=10, random_state=self.random_state).fit(X)

    def _mixture(self, X: Embeddings) -> Any:
        n_distinct = len(np.unique(X, axis=0))
        options = {"covariance_type": "diag", "random_state": self.random_state, "reg_covar": 1e-3}
        mixtures = [GaussianMixture(n, **options).fit(X) for n in N_GAUSSIANS if n <= n_distinct]
        return min(mixtures, key=lambda mixture: mixture.bic(X))

    def _n_clusters(self) -> int:
        return int(self.clusterer_.n_clusters if self.method == "kmeans" else self.clusterer_.n_components)
