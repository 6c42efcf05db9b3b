"""Outliers: clips that are far from the others, with false-discovery rates.

Conventions: a score is higher for a stranger clip; a p-value is the chance that a sound clip has such a score
or a higher one; a q-value is the smallest false-discovery rate at which a clip counts as an outlier.

No clip of a collection is certain to be sound, and a rank among the clips says nothing about how large the
largest score may be. Permuted columns are no fair comparison: they take away what columns have in common,
so that sound clips look strange. The p-values here assume a tail instead: the scores between the median and
the 90th percentile give the scale of an exponential tail, and the scores above follow it. That holds for
scores with an exponential tail and is cautious for lighter ones, such as distances of normal vectors; a
heavier tail gives too many outliers. Up to 10 % of the clips may be outliers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

from bench.errors import UsageError
from bench.exploration.maps import scale
from bench.metrics import Floats
from bench.types import Embeddings

LEVEL = 0.1
"""Largest expected share of sound clips among the outliers."""

MIN_CLIPS = 30
"""Least number of clips: fewer give too few scores between the two quantiles."""

N_LISTED = 20
"""Number of clips in the list of the strangest ones."""

BULK = (0.5, 0.9)
"""Quantiles of the scores between which the scale of the tail is measured."""

N_TREES = 200
"""Number of trees of the isolation forest."""

LIMIT = 10.0
"""Largest absolute value of a scaled feature: one that is almost always 0 would outweigh all others."""

MIN_NEIGHBOURS = 5
"""Least number of nearest clips that a clip is compared with."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Outliers:
    """How strange every clip of a collection is.

    Parameters
    ----------
    distance : np.ndarray, shape=(n_clips,)
        Distance to the k-th nearest other clip, in the scaled vectors.
    isolation : np.ndarray, shape=(n_clips,), in (0, 1]
        Anomaly score of an isolation forest; higher is stranger.
    q, q_isolation : np.ndarray, shape=(n_clips,)
        q-value by each score.
    is_outlier : np.ndarray, shape=(n_clips,), dtype=bool
        Whether `q` is at most the level.
    n_neighbours : int
        The k of `distance`.
    level : float
        Largest expected share of sound clips among the outliers.
    """

    distance: npt.NDArray[np.float64]
    isolation: npt.NDArray[np.float64]
    q: npt.NDArray[np.float64]
    q_isolation: npt.NDArray[np.float64]
    is_outlier: npt.NDArray[np.bool_]
    n_neighbours: int
    level: float

    @property
    def order(self) -> npt.NDArray[np.intp]:
        """Return the indices of the clips, the largest distance first, equal ones in their order."""
        return np.argsort(-self.distance, kind="stable")


def outliers(vectors: Embeddings, seed: int = 0, level: float = LEVEL) -> Outliers:
    """Return scores and q-values of all clips by two methods, and which clips are outliers.

    Every feature has mean 0, standard deviation 1, and a size of at most `LIMIT`. The neighbour of `distance`
    is the k-th, with k the root of the number of clips: clips that are strange in the same way do not hide
    each other, and all clips of a kind with fewer than k clips are strange. The isolation forest is a second
    opinion: on embeddings of speech it finds fewer of the clips that do not belong there.

    Parameters
    ----------
    vectors : Embeddings
        shape=(n_clips, dim).
    seed : int
        Seed of the isolation forest.
    level : float
        Largest expected share of sound clips among the outliers, in (0, 1).

    Raises
    ------
    UsageError
        If there are fewer than `MIN_CLIPS` clips, or more than half of them have equal vectors.

    References
    ----------
    Liu, Ting and Zhou, "Isolation forest", ICDM 2008. Ramaswamy, Rastogi and Shim, "Efficient algorithms for
    mining outliers from large data sets", SIGMOD 2000. Benjamini and Hochberg, "Controlling the false
    discovery rate", JRSS B 57, 1995.
    """
    n_clips = len(vectors)
    if n_clips < MIN_CLIPS:
        raise UsageError(f"--outliers: {n_clips} clips; expected {MIN_CLIPS} or more")
    X = np.clip(scale(vectors), -LIMIT, LIMIT)
    n_neighbours = max(MIN_NEIGHBOURS, round(n_clips**0.5))
    distance = neighbour_distance(X, n_neighbours)
    if np.median(distance) == 0:
        raise UsageError(
            f"--outliers: more than half of {n_clips} clips have {n_neighbours} others with equal vectors; "
            "leave out the copies, or choose another extractor"
        )
    forest = IsolationForest(n_estimators=N_TREES, random_state=seed).fit(X)
    isolation = -forest.score_samples(X)
    q = stats.false_discovery_control(tail_p_values(distance))
    return Outliers(
        distance=distance,
        isolation=isolation,
        q=q,
        q_isolation=stats.false_discovery_control(tail_p_values(isolation)),
        is_outlier=q <= level,
        n_neighbours=n_neighbours,
        level=level,
    )


def neighbour_distance(X: npt.NDArray[np.floating], n_neighbours: int) -> Floats:
    """Return the distance of every clip to its k-th nearest other clip, shape=(n_clips,)."""
    distances, _ = NearestNeighbors(n_neighbors=n_neighbours).fit(X).kneighbors()
    return np.asarray(distances[:, -1], dtype=np.float64)


def tail_p_values(scores: Floats) -> Floats:
    """Return p-values of scores of which up to 10 % may be outliers, shape=(n_scores,).

    Above the median u, sound scores are u + e with e exponential. The scale s of e comes from the m scores
    between the two quantiles of `BULK`, and from the number of those above, whose size is not used; then
    e / s follows an F distribution with 2 and 2 m degrees of freedom. Below u, a p-value is a share of
    scores.

    Parameters
    ----------
    scores : np.ndarray, shape=(n_scores,)
        Higher is stranger.

    References
    ----------
    Epstein and Sobel, "Life testing", JASA 48, 1953 (a censored exponential sample). Weissman, "Estimation of
    parameters and large quantiles based on the k largest observations", JASA 73, 1978 (the tail).
    """
    n_scores = len(scores)
    middle, high = np.quantile(scores, BULK)
    excess = scores - middle
    in_bulk = (excess > 0) & (scores <= high)
    n_bulk, n_censored = int(in_bulk.sum()), int((scores > high).sum())
    share = (n_bulk + n_censored) / n_scores
    p = stats.rankdata(-scores, method="max") / n_scores
    if n_bulk == 0:  # no spread above the median: ranks are all that is known
        return np.asarray(p)
    scale = (excess[in_bulk].sum() + n_censored * (high - middle)) / n_bulk
    tail = share * stats.f.sf(excess / scale, 2, 2 * n_bulk)
    return np.asarray(np.where(excess > 0, tail, p))


def table(outliers: Outliers, clips: Sequence[str], n_listed: int = N_LISTED) -> pd.DataFrame:
    """Return the strangest clips, the strangest first, one row per clip, with scores and q-values.

    All outliers are in it, also where there are more than `n_listed`.
    """
    rows = outliers.order[: max(n_listed, int(outliers.is_outlier.sum()))]
    return pd.DataFrame(
        {
            "clip": np.asarray(clips, dtype=object)[rows],
            "outlier": outliers.is_outlier[rows],
            "distance": outliers.distance[rows],
            "q": outliers.q[rows],
            "isolation": outliers.isolation[rows],
            "q_isolation": outliers.q_isolation[rows],
        }
    )
