"""What clusters are, in a sentence."""

import numpy as np

from bench.exploration.clusters import Clusters
from bench.exploration.criteria import AGREEMENT, LEVEL, Criteria, extended_number


def verdict(clusters: Clusters) -> str:
    """Return how many clusters there are and why, or why there are none."""
    if clusters.method == "hdbscan":
        n_noise = int((clusters.labels < 0).sum())
        number = clusters.n_clusters or "no"
        return f"HDBSCAN: {number} clusters; {n_noise} of {len(clusters.labels)} clips are noise."
    if clusters.method == "kmeans":
        return f"K-means into {clusters.n_clusters} clusters, as asked; silhouette {clusters.silhouette:.2f}."
    if clusters.method == "bic":
        return (
            f"{clusters.n_clusters or 1} Gaussians have the lowest BIC; the criteria say {clusters.low} to "
            f"{clusters.high}. Data without clusters may need several Gaussians too: see auto."
        )
    criteria = clusters.criteria
    if clusters.n_clusters or criteria is None:
        return (
            f"{clusters.n_clusters} clusters, between {clusters.low} and {clusters.high}; silhouette "
            f"{clusters.silhouette:.2f}, higher than that of structureless data."
        )
    return f"No clusters: {' and '.join(_reasons(criteria))}."


def _reasons(criteria: Criteria) -> list[str]:
    """Return why there are no clusters."""
    reasons = []
    if extended_number(criteria) is None:
        rand = criteria.curves["stability"].values[1:]
        reasons.append(
            f"halves of the clips give other clusters (adjusted Rand index {np.nanmax(rand):.2f} or less; "
            f"expected {AGREEMENT[-1]})"
        )
    if criteria.p is not None and criteria.p > LEVEL:
        reasons.append(f"the silhouette is not higher than that of structureless data (p = {criteria.p:.2g})")
    if (criteria.bic_gain or 0.0) <= (criteria.null_bic_gain or 0.0):
        reasons.append("the BIC falls no more than for structureless data")
    return reasons
