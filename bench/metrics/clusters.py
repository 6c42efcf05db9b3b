"""Scores of clusters against labels."""

from collections.abc import Callable, Mapping

from sklearn import metrics as reference
from sklearn.metrics.cluster import contingency_matrix

from bench.types import Labels


def purity(y_true: Labels, cluster: Labels) -> float:
    """Return the share of clips with their cluster's most frequent label, in [0, 1], higher is better."""
    return float(contingency_matrix(y_true, cluster).max(axis=0).sum() / len(y_true))


CLUSTERINGS: Mapping[str, Callable[[Labels, Labels], float]] = {
    "ari": reference.adjusted_rand_score,
    "nmi": reference.normalized_mutual_info_score,
    "v_measure": reference.v_measure_score,
    "purity": purity,
}
"""How clusters agree with labels: ARI in [-0.5, 1], the others in [0, 1]; higher is better."""
