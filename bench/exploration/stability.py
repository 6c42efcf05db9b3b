"""Stability of every cluster: how well it is found again in halves of the clips.

References
----------
Hennig, "Cluster-wise assessment of cluster stability", Computational Statistics and Data Analysis 52, 2007:
below 0.6 a cluster should not be trusted, and 0.75 or more is a stable one.
"""

from collections.abc import Callable

import numpy as np

from bench.exploration.space import Indices
from bench.metrics import Floats

Clusterer = Callable[[Floats], Indices]
"""Scores, shape=(n_clips, n_components) -> cluster of every clip, -1 for noise."""


def recurrence(
    scores: Floats, labels: Indices, clusterer: Clusterer, seed: int = 0, n_splits: int = 10
) -> tuple[Floats, Floats]:
    """Return how well clusters recur where halves of the clips are clustered again.

    Parameters
    ----------
    scores : Floats
        shape=(n_clips, n_components).
    labels : Indices
        Cluster of every clip, -1 for noise, shape=(n_clips,).
    clusterer : Clusterer
        What made the clusters.
    n_splits : int
        Number of times that the clips are split into halves.

    Returns
    -------
    tuple[Floats, Floats]
        The mean Jaccard similarity of every cluster, within a half, and its most similar cluster of the half,
        in [0, 1], shape=(n_clusters,); and for every clip the share of the halves with it in which it is in
        that cluster, in [0, 1], 0 for noise, shape=(n_clips,).
    """
    rng = np.random.default_rng([seed, 2])
    n_clusters = int(labels.max()) + 1
    sums, counts, shares = np.zeros(n_clusters), np.zeros(n_clusters), np.zeros(len(labels))
    for _ in range(n_splits):
        for half in np.array_split(rng.permutation(len(labels)), 2):
            half = np.sort(half)
            similarity, is_present, recurs = _compare(labels[half], clusterer(scores[half]), n_clusters)
            sums += similarity
            counts += is_present
            shares[half] += recurs
    return sums / np.maximum(counts, 1), shares / n_splits


def _compare(labels: Indices, again: Indices, n_clusters: int) -> tuple[Floats, Floats, Floats]:
    """Return each cluster's similarity to the most similar new one, whether it has clips, and which recur."""
    members = labels[:, None] == np.arange(n_clusters)
    others = again[:, None] == np.arange(max(again.max() + 1, 1))
    if not n_clusters:
        return np.zeros(0), np.zeros(0), np.zeros(len(labels))
    common = members.T.astype(np.float64) @ others
    union = members.sum(axis=0)[:, None] + others.sum(axis=0) - common
    jaccard = common / np.maximum(union, 1)
    partner = jaccard.argmax(axis=1)
    recurs = (labels >= 0) & (again == partner[labels])
    return jaccard.max(axis=1), members.any(axis=0), recurs
