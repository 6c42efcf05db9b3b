"""Maps: vectors in the plane by PCA, UMAP or t-SNE.

Conventions: vectors are standardised, each dimension to mean 0 and variance 1.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from filelock import FileLock
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from bench.errors import UsageError
from bench.metrics import Floats
from bench.metrics.neighbours import Faithfulness, faithfulness
from bench.paths import home
from bench.types import Embeddings

METHODS = ("pca", "umap", "tsne")
"""Methods of a map."""

N_STAGES = 40
"""Largest number of stages of a map by UMAP."""

LONG = 10_000
"""Largest number of clips for which UMAP runs 500 epochs, and 200 for more, as is its default."""

PERPLEXITY = 30.0
"""Perplexity of t-SNE, or a third of the other clips if that is lower."""

Points = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Map:
    """Clips in the plane.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    points : np.ndarray, shape=(n_clips, 2)
    stages : np.ndarray, shape=(n_stages, n_clips, 2)
        The points as UMAP moves them, from their places by PCA to the map; no stages of another method.
    epochs : tuple[int, ...]
        Number of epochs before each stage.
    faithfulness : Faithfulness
    """

    method: str
    points: Points
    stages: Points
    epochs: tuple[int, ...]
    faithfulness: Faithfulness


def fit(vectors: Embeddings, method: str, seed: int, n_neighbors: int = 15) -> Map:
    """Return a map of vectors.

    Parameters
    ----------
    vectors : Embeddings, shape=(n_clips, dim)
        Finite.
    method : str
        ``pca`` (does not depend on the seed), ``umap`` (starts from the PCA), or ``tsne`` (Barnes-Hut, starts
        from the PCA).
    n_neighbors : int
        Of UMAP: how many neighbours of a clip it keeps near.

    Raises
    ------
    UsageError
        If the method is unknown, all vectors are equal, or there are too few of them.

    References
    ----------
    Kobak and Linderman, "Initialization is critical for preserving global data structure in both t-SNE and
    UMAP", Nature Biotechnology 39, 2021.
    """
    _check(vectors, method, n_neighbors)
    X = scale(vectors)
    plane = _pca(X)
    points, stages = plane, np.empty((0, len(X), 2), np.float32)
    epochs: tuple[int, ...] = ()
    if method == "umap":
        points, stages, epochs = _umap(X, plane, seed, n_neighbors)
    elif method == "tsne":
        points = _tsne(X, plane, seed)
    return Map(
        method=method,
        points=points,
        stages=stages,
        epochs=epochs,
        faithfulness=faithfulness(X, points, seed),
    )


def _check(vectors: Embeddings, method: str, n_neighbors: int) -> None:
    """Raise UsageError if there can be no map."""
    n_clips, dim = vectors.shape
    if method not in METHODS:
        raise UsageError(f"map '{method}' is unknown; expected {', '.join(METHODS)}")
    if n_clips < 3 or dim < 2:
        raise UsageError(
            f"map: {n_clips} clips of {dim} dimensions; expected at least 3 clips and 2 dimensions"
        )
    if (vectors == vectors[0]).all():
        raise UsageError(f"map: all {n_clips} vectors are equal; expected clips that differ")
    if method == "umap" and not 2 <= n_neighbors < n_clips:
        raise UsageError(
            f"map 'umap': {n_clips} clips, {n_neighbors} neighbours of each; expected more clips than "
            f"neighbours, and at least 2 of these; take --map pca, or fewer neighbours"
        )


def scale(vectors: npt.NDArray[np.floating]) -> Floats:
    """Return vectors, shape=(n_clips, dim), with every dimension standardised; a constant one becomes 0."""
    X = np.asarray(vectors, dtype=np.float64)
    is_constant = np.ptp(X, axis=0) == 0
    deviation = np.where(is_constant, 1.0, X.std(axis=0))
    scaled: Floats = np.where(is_constant, 0.0, (X - X.mean(axis=0)) / deviation)
    return scaled


def _pca(X: Floats) -> Points:
    """Return the first two principal components of X, shape=(n_clips, 2)."""
    solver = "covariance_eigh" if len(X) > X.shape[1] else "full"  # the faster one
    plane: Points = PCA(2, svd_solver=solver).fit_transform(X).astype(np.float32)
    return plane


def _umap(X: Floats, plane: Points, seed: int, n_neighbors: int) -> tuple[Points, Points, tuple[int, ...]]:
    """Return the map, its stages and the epochs before them; the optimiser starts from the plane."""
    from umap import UMAP  # takes seconds

    n_epochs = 500 if len(X) <= LONG else 200
    epochs = sorted({int(epoch) for epoch in np.geomspace(2, n_epochs, N_STAGES)})
    start = _start(plane, seed)
    reducer = UMAP(
        n_neighbors=n_neighbors,
        init=start,
        n_epochs=[epoch - 1 for epoch in epochs[:-1]] + [n_epochs],  # it counts epochs from 0
        random_state=seed,
        n_jobs=1,
    )
    # One process compiles at a time: numba's cache does not bear two (`bench.reducers.umap`).
    with FileLock(home() / "numba.lock"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reducer.fit(X.astype(np.float32))
    stages = np.stack([start, *reducer.embedding_list_])
    return stages[-1], stages, (0, *epochs)


def _start(plane: Points, seed: int) -> Points:
    """Return where UMAP starts, in [0, 10]: the plane, or at random on an axis where all clips are equal."""
    width = np.ptp(plane, axis=0)
    start = 10 * (plane - plane.min(axis=0)) / np.maximum(width, 1e-9)
    random = np.random.default_rng(seed).uniform(0, 10, plane.shape)
    return np.where(width > 1e-6 * width.max(), start, random).astype(np.float32)


def _tsne(X: Floats, plane: Points, seed: int) -> Points:
    """Return the map by t-SNE, which starts from the plane, shape=(n_clips, 2)."""
    perplexity = min(PERPLEXITY, (len(X) - 1) / 3)
    start = plane / max(float(plane[:, 0].std()), 1e-9) * 1e-4  # as scikit-learn scales its own
    tsne = TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=1)
    points: Points = tsne.fit_transform(X).astype(np.float32)
    return points
