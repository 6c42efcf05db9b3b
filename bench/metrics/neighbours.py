"""Neighbours on a map beside those in the space: how far a map of clips can be trusted.

Conventions: distances are Euclidean, in the space (all dimensions) and on the map (two). No clip is its own
neighbour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import pairwise_distances_chunked
from sklearn.neighbors import NearestNeighbors

N_NEAREST = 5
"""Number of nearest neighbours that are compared, as in `sklearn.manifold.trustworthiness`."""

MOST_RANKED = 3000
"""Largest number of clips whose neighbours are compared; a random sample of more clips."""

MOST_MIB = 64
"""Memory of the distances that are sorted together; their order needs twice as much more."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Faithfulness:
    """How far a map can be trusted.

    Parameters
    ----------
    n_nearest : int
        Number of neighbours k; `N_NEAREST`, or fewer if there are few clips.
    rows : np.ndarray, shape=(n_ranked,)
        The clips whose neighbours are compared, sorted: all, or a sample of `MOST_RANKED`.
    in_space, on_map : np.ndarray, shape=(n_ranked, n_nearest)
        The nearest of all clips to each of them, the nearest first.
    trustworthiness : float
        In [0, 1], higher is better: 1 if all neighbours on the map are neighbours in the space.
    shared : float
        Share of the neighbours in the space that are neighbours on the map, in [0, 1], higher is better.
    """

    n_nearest: int
    rows: Rows
    in_space: Rows
    on_map: Rows
    trustworthiness: float
    shared: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How often the nearest neighbours of a clip have its label; clips without a label are left out.

    Parameters
    ----------
    in_space, on_map : float
        Share of the neighbours with the label of the clip, in [0, 1]; nan if no neighbour has a label.
    chance : float
        The share that is expected if the labels are shuffled among the clips.
    """

    in_space: float
    on_map: float
    chance: float


def faithfulness(X: npt.NDArray[np.floating], points: npt.NDArray[np.floating], seed: int) -> Faithfulness:
    """Return how far a map can be trusted.

    Parameters
    ----------
    X : np.ndarray, shape=(n_clips, dim)
        At least 3 clips.
    points : np.ndarray, shape=(n_clips, 2)
    seed : int
        Draws the sample of more than `MOST_RANKED` clips.

    References
    ----------
    Venna and Kaski, "Neighborhood preservation in nonlinear projection methods: an experimental study",
    ICANN 2001.
    """
    n_clips = len(X)
    n_nearest = min(N_NEAREST, (n_clips - 1) // 2)
    rows = np.arange(n_clips)
    if n_clips > MOST_RANKED:
        rows = np.sort(np.random.default_rng(seed).choice(n_clips, MOST_RANKED, replace=False))
    on_map = NearestNeighbors(n_neighbors=n_nearest).fit(points).kneighbors(return_distance=False)[rows]
    in_space, ranks = _ranked(X, rows, on_map)
    excess = np.maximum(ranks - n_nearest, 0).sum()
    worst = len(rows) * n_nearest * (2 * n_clips - 3 * n_nearest - 1) / 2
    shared = [len(np.intersect1d(near, on)) for near, on in zip(in_space, on_map, strict=True)]
    return Faithfulness(
        n_nearest=n_nearest,
        rows=rows.astype(np.int64),
        in_space=in_space.astype(np.int64),
        on_map=on_map.astype(np.int64),
        trustworthiness=float(1 - excess / worst),
        shared=float(np.mean(shared)) / n_nearest,
    )


def _ranked(X: npt.NDArray[np.floating], rows: Rows, on_map: Rows) -> tuple[Rows, Rows]:
    """Return the neighbours of some clips in the space, and the ranks there of those on the map.

    Both have the shape of `on_map`, (n_rows, n_nearest); ranks count from 1. Equal distances are in the order
    of `np.argsort`, as in `sklearn.manifold.trustworthiness`.
    """
    n_nearest = on_map.shape[1]
    nearest, ranks = [], []
    start = 0
    for distances in pairwise_distances_chunked(X[rows], X, working_memory=MOST_MIB):
        part = slice(start, start + len(distances))
        distances[np.arange(len(distances)), rows[part]] = np.inf
        order = np.argsort(distances, axis=1)
        places = np.empty_like(order)
        np.put_along_axis(places, order, np.arange(len(X))[None], axis=1)
        nearest.append(order[:, :n_nearest])
        ranks.append(np.take_along_axis(places, on_map[part], axis=1) + 1)
        start += len(distances)
    return np.concatenate(nearest), np.concatenate(ranks)


def agreements(trust: Faithfulness, labels: Mapping[str, Sequence[str]]) -> Mapping[str, Agreement]:
    """Return how often neighbours have the same label, of every column.

    Parameters
    ----------
    labels : Mapping[str, Sequence[str]]
        Column -> the label of every clip; '' if it has none.
    """
    return {name: _agreement(trust, np.asarray(column, dtype=object)) for name, column in labels.items()}


def _agreement(trust: Faithfulness, labels: npt.NDArray[np.object_]) -> Agreement:
    """Return the agreement of one column; shuffled labels agree in the share of equal pairs of clips."""
    codes = np.unique(labels[labels != ""].astype(str), return_inverse=True)[1]
    sizes = np.bincount(codes)
    pairs = sizes.sum() * (sizes.sum() - 1)
    return Agreement(
        in_space=_share(labels, trust.rows, trust.in_space),
        on_map=_share(labels, trust.rows, trust.on_map),
        chance=float((sizes * (sizes - 1)).sum() / pairs) if pairs else float("nan"),
    )


def _share(labels: npt.NDArray[np.object_], rows: Rows, neighbours: Rows) -> float:
    """Return the share of labelled neighbours of labelled clips with the label of their clip."""
    mine, theirs = labels[rows][:, None], labels[neighbours]
    both = (mine != "") & (theirs != "")
    return float((mine == theirs)[both].mean()) if both.any() else float("nan")
