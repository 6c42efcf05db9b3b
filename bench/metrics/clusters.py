"""Scores of clusters against labels."""

from collections.abc import Callable, Mapping

from sklearn import metrics as sk
from sklearn.metrics.cluster import contingency_matrix

from bench.types import Labels


def purity(y_true: Labels, cluster: Labels) -> float:
    """Return the share of clips with their cluster's most frequent label, in [0, 1], higher is better."""
    return float(contingency_matrix(y_true, cluster).max(axis=0).sum() / len(y_true))


CLUSTERINGS: Mapping[str, Callable[[Labels, Labels], float]] = {
    "ari": sk.adjusted_rand_score,
    "nmi": sk.normalized_mutual_info_score,
    "v_measure": sk.v_measure_score,
    "purity": purity,
}
"""Agreement of labels and clusters: ARI in [-0.5, 1], the others in [0, 1]; higher is better."""
