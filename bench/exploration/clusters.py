"""Clusters of clips, from their embeddings.

A number of clusters is given, chosen by the BIC of Gaussians, or by criteria that are compared with those of
structureless data; or HDBSCAN finds dense regions. "No clusters" is a possible answer.

References
----------
MacQueen, "Some methods for classification and analysis of multivariate observations", Berkeley Symposium,
1967. Campello, Moulavi and Sander, "Density-based clustering based on hierarchical density estimates", PAKDD,
2013.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import silhouette_score

from bench.errors import UsageError
from bench.exploration.criteria import COVARIANCES, Criteria, bic_curves, compare, number_range, verdict
from bench.exploration.partitions import centres, mixture, partitions
from bench.exploration.space import N_SAMPLED, Indices, principal_scores, sample
from bench.exploration.stability import Clusterer, recurrence
from bench.metrics import Floats
from bench.types import Embeddings

METHODS = ("auto", "bic", "hdbscan")
"""Methods beside a number of clusters."""

MOST_CLUSTERS = 25
"""Largest number of clusters that a criterion may choose."""

LEAST_CLIPS = 5
"""Smallest number of clips for each cluster that a criterion may choose, and of a cluster of HDBSCAN."""

N_TYPICAL = 3
"""Number of typical clips of every cluster."""

N_SPLITS, N_SPLITS_OF_MANY = 10, 2
"""Number of times that clips are split into halves, and that many clips are for a slow method."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clusters:
    """Clusters of clips.

    Parameters
    ----------
    method : str
        ``auto``, ``bic``, ``hdbscan`` or ``kmeans``.
    n_clusters : int | None
        Number of clusters; None if there are none: then all clips are cluster 0, or noise of HDBSCAN.
    low, high : int | None
        Range of the number, of ``auto`` and ``bic``.
    labels : np.ndarray
        Cluster of every clip, the largest one is 0; -1 for noise; shape=(n_clips,).
    probabilities : np.ndarray
        Of ``bic`` the posterior of the clip's Gaussian, of ``hdbscan`` the strength of membership, else the
        share of halves of the clips in which the clip is in its cluster again; in [0, 1], shape=(n_clips,).
    distances : np.ndarray
        Euclidean distance to the cluster's mean, in units of the components; NaN for noise; shape=(n_clips,).
    medoids : np.ndarray
        Clip with the smallest mean distance to the other clips of every cluster, shape=(n_clusters,).
    typical : np.ndarray
        The clips nearest to the mean of every cluster, the nearest first, shape=(n_clusters, 3); -1 where it
        has fewer.
    stability : np.ndarray
        Mean Jaccard similarity of every cluster to those of halves, in [0, 1], shape=(n_clusters,).
    silhouette : float | None
        Mean silhouette of clips, noise left out, in [-1, 1]; None without two clusters.
    criteria : Criteria | None
        Curves over the number of clusters, of ``auto`` and ``bic``.
    n_sampled : int
        Number of clips from which criteria, stability and silhouette are computed.
    """

    method: str
    n_clusters: int | None
    low: int | None = None
    high: int | None = None
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    distances: npt.NDArray[np.float64]
    medoids: npt.NDArray[np.int64]
    typical: npt.NDArray[np.int64]
    stability: npt.NDArray[np.float64]
    silhouette: float | None
    criteria: Criteria | None = None
    n_sampled: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Partition:
    """A partition of all clips before it is described; the fields are those of `Clusters`."""

    method: str
    labels: Indices
    clusterer: Clusterer
    probabilities: Floats | None = None
    criteria: Criteria | None = None
    bounds: tuple[int, int] | None = None


def find_clusters(vectors: Embeddings, method: str = "auto", seed: int = 0) -> Clusters:
    """Return the clusters of clips.

    Parameters
    ----------
    vectors : Embeddings
        shape=(n_clips, dim), finite.
    method : str
        ``auto``: the number by silhouette, stability and BIC, compared with structureless data; ``bic``: that
        of the Gaussians with the lowest BIC; ``hdbscan``; or a number of clusters, for k-means.
    seed : int
        Of every draw.

    Raises
    ------
    UsageError
        If the method is unknown, or there are too few clips, or all are equal.
    """
    number = _number(method)
    scores = principal_scores(vectors, seed)
    if number is not None:
        return _describe(scores, _kmeans(scores, number, seed), seed)
    if method == "hdbscan":
        return _describe(scores, _hdbscan(scores), seed)
    chosen = _auto(scores, seed) if method == "auto" else _bic(scores, seed)
    return _describe(scores, chosen, seed)


def _number(method: str) -> int | None:
    """Return the number of clusters that a method names; None if it is another method."""
    if method in METHODS:
        return None
    if method.isascii() and method.isdigit() and int(method) >= 2:
        return int(method)
    raise UsageError(f"clusters '{method}': expected {', '.join(METHODS)} or a number of clusters from 2")


def _numbers(scores: Floats, method: str) -> list[int]:
    """Return the numbers of clusters to choose from."""
    largest = min(MOST_CLUSTERS, min(len(scores), N_SAMPLED) // LEAST_CLIPS)
    if largest < 2:
        raise UsageError(
            f"clusters '{method}': {len(scores)} clips; expected {2 * LEAST_CLIPS} or more; "
            "name a number of clusters instead"
        )
    return list(range(1, largest + 1))


def _kmeans(scores: Floats, number: int, seed: int) -> _Partition:
    n_different = len(np.unique(scores, axis=0))
    if number > n_different:
        raise UsageError(
            f"clusters '{number}': there are {n_different} different clips; name a smaller number"
        )

    def clusterer(some: Floats) -> Indices:
        few = min(number, len(np.unique(some, axis=0)))
        return np.asarray(KMeans(few, n_init=10, random_state=seed).fit_predict(some), dtype=np.int64)

    return _Partition(method="kmeans", labels=clusterer(scores), clusterer=clusterer)


def _hdbscan(scores: Floats) -> _Partition:
    if len(scores) < LEAST_CLIPS:
        raise UsageError(
            f"clusters 'hdbscan': {len(scores)} clips; expected {LEAST_CLIPS} or more; "
            "add clips to the data set"
        )

    def clusterer(some: Floats) -> Indices:
        size = min(LEAST_CLIPS, len(some))
        return np.asarray(HDBSCAN(size, copy=True).fit_predict(some), dtype=np.int64)

    model = HDBSCAN(LEAST_CLIPS, copy=True).fit(scores)
    labels = np.asarray(model.labels_, dtype=np.int64)
    return _Partition(
        method="hdbscan", labels=labels, clusterer=clusterer, probabilities=np.asarray(model.probabilities_)
    )


def _bic(scores: Floats, seed: int) -> _Partition:
    """Return the Gaussians, diagonal or full, with the lowest BIC."""
    some = scores[sample(len(scores), seed)]
    curves = bic_curves(some, _numbers(scores, "bic"))
    lowest = {name: np.nanmin(curve.values) for name, curve in curves.curves.items()}
    name = min(lowest, key=lambda name: lowest[name])
    number, covariance = curves.curves[name].best, COVARIANCES[name]

    def posteriors_of(table: Floats) -> Floats:
        drawn = table[sample(len(table), seed)]
        [cut] = partitions(drawn, [number])
        return np.asarray(mixture(drawn, cut, covariance).predict_proba(table))

    posteriors = posteriors_of(scores)
    numbers = [curve.best for curve in curves.curves.values()]
    return _Partition(
        method="bic",
        labels=posteriors.argmax(axis=1),
        clusterer=lambda table: posteriors_of(table).argmax(axis=1),
        probabilities=posteriors.max(axis=1),
        criteria=curves,
        bounds=(min(numbers), max(numbers)),
    )


def _auto(scores: Floats, seed: int) -> _Partition:
    """Return k-means of the number that holds against structureless data; one cluster if none does."""
    some = scores[sample(len(scores), seed)]
    criteria = compare(some, _numbers(scores, "auto"), seed)
    number = verdict(criteria)

    def clusterer(table: Floats) -> Indices:
        return _from_ward(table, number or 1, seed)

    return _Partition(
        method="auto",
        labels=clusterer(scores),
        clusterer=clusterer,
        criteria=criteria,
        bounds=number_range(criteria) if number else None,
    )


def _from_ward(scores: Floats, number: int, seed: int) -> Indices:
    """Return the clusters by k-means, which starts from the centres of Ward's clusters of some clips."""
    some = scores[sample(len(scores), seed)]
    [cut] = partitions(some, [number])
    start = centres(some, cut)
    labels = KMeans(len(start), init=start, n_init=1).fit_predict(scores)
    return np.asarray(labels, dtype=np.int64)


def _describe(scores: Floats, partition: _Partition, seed: int) -> Clusters:
    """Return the clusters of a partition, the largest first, with what describes them."""
    labels = _by_size(partition.labels)
    n_clusters = int(labels.max()) + 1
    means = np.stack([scores[labels == cluster].mean(axis=0) for cluster in range(n_clusters)] or [scores[0]])
    distances = np.where(labels >= 0, np.linalg.norm(scores - means[labels], axis=1), np.nan)
    members = [np.flatnonzero(labels == cluster) for cluster in range(n_clusters)]
    some = sample(len(scores), seed)
    n_splits = (
        N_SPLITS if partition.probabilities is None or len(scores) <= 2 * N_SAMPLED else N_SPLITS_OF_MANY
    )
    stability, shares = recurrence(scores, labels, partition.clusterer, seed, n_splits)
    is_none = n_clusters < 1 or (n_clusters == 1 and partition.method in {"auto", "bic"})
    low, high = partition.bounds or (None, None)
    return Clusters(
        method=partition.method,
        n_clusters=None if is_none else n_clusters,
        low=low,
        high=high,
        labels=labels,
        probabilities=shares if partition.probabilities is None else partition.probabilities,
        distances=distances,
        medoids=np.array([_medoid(scores, clips, seed) for clips in members], dtype=np.int64),
        typical=np.array([_nearest_clips(distances, clips) for clips in members], dtype=np.int64).reshape(
            -1, N_TYPICAL
        ),
        stability=stability,
        silhouette=_silhouette(scores[some], labels[some]),
        criteria=partition.criteria,
        n_sampled=len(some),
    )


def _by_size(labels: Indices) -> Indices:
    """Return clusters numbered by their size, the largest first; noise stays -1."""
    present, counts = np.unique(labels[labels >= 0], return_counts=True)
    numbers = np.full(int(labels.max()) + 2, -1, dtype=np.int64)
    numbers[present[np.lexsort((present, -counts))]] = np.arange(len(present))
    return np.asarray(numbers[labels])


def _medoid(scores: Floats, clips: Indices, seed: int) -> int:
    """Return the clip with the smallest mean distance to others of its cluster, of which some are drawn."""
    others = clips[sample(len(clips), seed)]
    return int(clips[cdist(scores[clips], scores[others]).mean(axis=1).argmin()])


def _nearest_clips(distances: Floats, clips: Indices) -> Indices:
    """Return the clips with the smallest distances, -1 in place of missing ones."""
    nearest = clips[np.argsort(distances[clips], kind="stable")][:N_TYPICAL]
    return np.pad(nearest, (0, N_TYPICAL - len(nearest)), constant_values=-1)


def _silhouette(scores: Floats, labels: Indices) -> float | None:
    """Return the mean silhouette of clips, noise left out; None without two clusters."""
    scores, labels = scores[labels >= 0], labels[labels >= 0]
    if not 2 <= len(np.unique(labels)) < len(labels):
        return None
    return float(silhouette_score(scores, labels))
