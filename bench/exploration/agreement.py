"""Agreement of clusters with labels, and with the groups of clips, such as speakers and sessions.

Conventions: a cluster is a number from 0, and -1 is noise, which counts as a cluster of its own; a label or a
group is '' where it is unknown, and such clips are left out.

References
----------
Bergsma, "A bias-correction for Cramer's V and Tschuprow's T", Journal of the Korean Statistical Society 42,
2013. Hubert and Arabie, "Comparing partitions", Journal of Classification 2, 1985. Rosenberg and Hirschberg,
"V-Measure", EMNLP-CoNLL, 2007.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.special import xlogy
from scipy.stats.contingency import association, crosstab

from bench.errors import UsageError
from bench.exploration.space import Indices
from bench.metrics import CLUSTERINGS, Floats, Metric, Predicted
from bench.metrics.base import Codes, GroupScorer
from bench.stats import bound
from bench.stats.intervals import MAX_BLOCK
from bench.types import Score


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Association:
    """How far clusters are the groups of a column.

    Parameters
    ----------
    cramers_v : float | None
        Bias-corrected Cramer's V, from 0 (independent) to 1 (each cluster is a group, or a group a cluster);
        None where it is not defined, as of groups of one clip.
    clusters : np.ndarray
        Clusters, -1 for noise, shape=(n_clusters,).
    groups : tuple[str, ...]
        Most frequent group of each of them.
    shares : np.ndarray
        Its share of the clips of the cluster, in [0, 1], shape=(n_clusters,).
    expected : np.ndarray
        Its share of all clips, in [0, 1], shape=(n_clusters,).
    n_clips, n_groups : int
        Number of clips with a group, and of groups.
    """

    cramers_v: float | None
    clusters: npt.NDArray[np.int64]
    groups: tuple[str, ...]
    shares: npt.NDArray[np.float64]
    expected: npt.NDArray[np.float64]
    n_clips: int
    n_groups: int


def label_scores(clusters: Indices, labels: Sequence[str], group: Sequence[str]) -> tuple[Score, ...]:
    """Return ARI, NMI, V-measure and purity of clusters against labels, with 95 % intervals over groups.

    Parameters
    ----------
    clusters : Indices
        shape=(n_clips,).
    labels : Sequence[str]
        Label of every clip.
    group : Sequence[str]
        Group of every clip, whose clips are alike, such as its speaker; a clip without one is a group.

    Raises
    ------
    UsageError
        If no clip has a label.
    """
    rows = _rows(labels)
    names = clusters[rows].astype(str)
    y_true = np.asarray(labels, dtype=str)[rows]
    p = Predicted(y_true, names, np.unique(np.concatenate([y_true, names])))
    units = np.array([f"group {name}" if name else f"clip {clip}" for clip, name in enumerate(group)])[rows]
    scores = []
    for name, metric in METRICS.items():
        limits = bound(metric, p, units)
        value = metric.score(p)
        scores.append(Score(name, value, "cluster", limits.low, limits.high, unbounded=limits.unbounded))
    return tuple(scores)


def associate(clusters: Indices, groups: Sequence[str]) -> Association:
    """Return how far clusters are groups of clips.

    Raises
    ------
    UsageError
        If no clip has a group.
    """
    rows = _rows(groups)
    (numbers, names), counts = crosstab(clusters[rows], np.asarray(groups, dtype=str)[rows])
    top, sizes = counts.argmax(axis=1), counts.sum(axis=1)
    return Association(
        cramers_v=cramers_v(counts),
        clusters=numbers.astype(np.int64),
        groups=tuple(str(names[group]) for group in top),
        shares=counts.max(axis=1) / sizes,
        expected=counts.sum(axis=0)[top] / counts.sum(),
        n_clips=len(rows),
        n_groups=len(names),
    )


def cramers_v(counts: npt.NDArray[np.int64]) -> float | None:
    """Return Bergsma's bias-corrected Cramer's V of a table of counts; None where it is not defined.

    Parameters
    ----------
    counts : np.ndarray
        Clips of every pair of a cluster and a group, shape=(n_clusters, n_groups); no row or column is 0.
    """
    n_clips = counts.sum()
    if min(counts.shape) < 2:
        return None
    smaller = min(counts.shape) - 1
    phi2 = association(counts, method="cramer", correction=False) ** 2 * smaller
    n_rows, n_columns = counts.shape
    excess = max(0.0, phi2 - (n_rows - 1) * (n_columns - 1) / (n_clips - 1))
    corrected = min(size - (size - 1) ** 2 / (n_clips - 1) for size in counts.shape) - 1
    return None if corrected < 1e-9 else float(np.sqrt(excess / corrected))


def _rows(labels: Sequence[str]) -> Indices:
    """Return the clips with a label."""
    rows = np.flatnonzero(np.asarray(labels, dtype=str) != "")
    if not len(rows):
        raise UsageError(
            "clusters: no clip has this label; expected a column with values; name another column"
        )
    return rows


def _scorer(of_tables: Callable[[Floats], Floats]) -> Callable[[Predicted, Codes, int], GroupScorer]:
    """Return a scorer of weighted groups for a score that is computed from tables of counts."""

    def scorer(p: Predicted, codes: Codes, n_groups: int) -> GroupScorer:
        _, true = np.unique(p.y_true, return_inverse=True)
        _, cluster = np.unique(p.y_pred, return_inverse=True)
        n_true, n_clusters = int(true.max()) + 1, int(cluster.max()) + 1
        n_cells = n_true * n_clusters
        cells = true * n_clusters + cluster
        of_groups = csr_array((np.ones(len(codes)), (codes, cells)), (n_groups, n_cells))

        def values(weights: Floats) -> Floats:
            blocks = np.array_split(weights, -(-len(weights) * n_cells // MAX_BLOCK))
            tables = ((of_groups.T @ block.T).T.reshape(-1, n_true, n_clusters) for block in blocks)
            return np.concatenate([of_tables(block) for block in tables])

        return values

    return scorer


def _ari(tables: Floats) -> Floats:
    """Return the adjusted Rand index of tables, shape=(n_tables, n_labels, n_clusters)."""
    rows, columns, n_clips = tables.sum(axis=2), tables.sum(axis=1), tables.sum(axis=(1, 2))
    both = (tables * (tables - 1)).sum(axis=(1, 2))
    first, second = (rows * (rows - 1)).sum(axis=1), (columns * (columns - 1)).sum(axis=1)
    chance = first * second / (n_clips * (n_clips - 1))
    span = (first + second) / 2 - chance
    return np.asarray(np.divide(both - chance, span, out=np.ones_like(span), where=span != 0))


def _v_measure(tables: Floats) -> Floats:
    """Return the V-measure of tables, which is the NMI with the mean entropy."""
    shares = tables / tables.sum(axis=(1, 2), keepdims=True)
    joint = -xlogy(shares, shares).sum(axis=(1, 2))
    entropies = [-xlogy(shares.sum(axis=axis), shares.sum(axis=axis)).sum(axis=1) for axis in (1, 2)]
    mean = sum(entropies) / 2
    return np.asarray(np.divide(sum(entropies) - joint, mean, out=np.ones_like(mean), where=mean > 0))


def _purity(tables: Floats) -> Floats:
    """Return the share of clips with their cluster's most frequent label, of tables."""
    return np.asarray(tables.max(axis=1).sum(axis=1) / tables.sum(axis=(1, 2)))


TABLE_SCORES: Mapping[str, Callable[[Floats], Floats]] = {
    "ari": _ari,
    "nmi": _v_measure,
    "v_measure": _v_measure,
    "purity": _purity,
}
"""Score of `bench.metrics.CLUSTERINGS` -> the same of tables of counts, for draws of groups."""


def _metric(name: str) -> Metric:
    """Return a score of clusters as a metric."""
    score = CLUSTERINGS[name]

    def draw_scores(p: Predicted, weights: Floats) -> Floats:
        return _scorer(TABLE_SCORES[name])(p, np.arange(len(p.y_true)), len(p.y_true))(weights)

    return Metric(
        name=name,
        about="agreement of clusters and labels",
        score=lambda p: float(score(p.y_true, p.y_pred)),
        draw_scores=draw_scores,
        low=-0.5 if name == "ari" else 0.0,
        group_scorer=_scorer(TABLE_SCORES[name]),
    )


METRICS: Mapping[str, Metric] = {name: _metric(name) for name in CLUSTERINGS}
"""Scores of clusters as metrics, for their intervals."""
