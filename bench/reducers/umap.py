"""UMAP as a reducer that can be saved."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from filelock import FileLock
from sklearn.base import BaseEstimator, TransformerMixin
from umap import UMAP

from bench.paths import home
from bench.types import Embeddings

_steps: set[str] = set()
"""Steps of UMAP that this process has compiled or loaded from numba's cache."""


class Umap(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """`umap.UMAP` on one thread, so that a seed always gives the same map.

    A fitted UMAP holds compiled code, which no safe file format stores. A saved reducer therefore holds its
    training clips, and fits the map again after loading.

    Parameters
    ----------
    n_components, random_state
        As in `umap.UMAP`.
    """

    def __init__(self, n_components: int = 2, random_state: int = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Embeddings, y: object = None) -> Self:
        """Fit the map to X, shape=(n_clips, dim)."""
        self.X_ = np.asarray(X)
        self.map_ = self._fit_map()
        return self

    def fit_transform(self, X: Embeddings, y: object = None) -> Any:
        """Fit the map to X, shape=(n_clips, dim), and return X on it, shape=(n_clips, n_components)."""
        return self.fit(X).map_.embedding_

    def transform(self, X: Embeddings) -> Any:
        """Return X on the map, shape=(n_clips, n_components)."""
        if not hasattr(self, "map_"):
            self.map_ = self._fit_map()
        with _compiling("transform"):
            return self.map_.transform(X)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "map_"}

    def _fit_map(self) -> Any:
        n_neighbors = max(2, min(15, len(self.X_) - 1))
        options = {"n_components": self.n_components, "n_neighbors": n_neighbors}
        with _compiling("fit"):
            return UMAP(**options, random_state=self.random_state, n_jobs=1).fit(self.X_)


@contextmanager
def _compiling(step: str) -> Iterator[None]:
    """Let no other process compile during the first call of a step in this one.

    numba numbers the files of its cache: processes that compile a function for two types at once take one
    name for both, and the next process that loads it crashes.
    """
    if step in _steps:
        yield
        return
    home().mkdir(parents=True, exist_ok=True)
    with FileLock(home() / "numba.lock"):
        yield
    _steps.add(step)
