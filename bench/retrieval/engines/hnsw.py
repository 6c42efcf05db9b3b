"""HNSW: a graph of neighbours, in which a search goes from vector to nearer vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.retrieval.engines.faiss_engine import FaissEngine, library
from bench.retrieval.engines.members import Members
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

EFFORTS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""What `ef_search` may be tuned to."""


class Hnsw(FaissEngine):
    """A graph of neighbours over a copy of the vectors in memory: fastest, and largest.

    Parameters
    ----------
    n_links : int
        Links of a vector in every layer, twice as many in the lowest one (M).
    ef_construction, ef_search : int
        Number of nearest candidates that are followed when a vector is added, and in a search.

    References
    ----------
    Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical
    navigable small world graphs", IEEE TPAMI 42, 2020.
    """

    def __init__(
        self,
        folder: Path,
        vectors: Embeddings,
        *,
        n_links: int = 32,
        ef_construction: int = 40,
        ef_search: int = 64,
    ) -> None:
        self._n_links = n_links
        self._ef_construction = ef_construction
        self._ef_search = ef_search
        super().__init__(folder, vectors)

    @property
    def settings(self) -> Sequence[Mapping[str, int]]:
        """Return what a search may be tuned to, the fastest first."""
        return [{"ef_search": effort} for effort in EFFORTS]

    def configure(self, ef_search: int) -> None:
        """Set how thorough a search is."""
        self._ef_search = ef_search

    def _create(self) -> Any:
        faiss = library()
        graph = faiss.IndexHNSWFlat(self._vectors.shape[1], self._n_links, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = self._ef_construction
        return faiss.IndexIDMap(graph)

    def _ask(self, queries: Embeddings, k: int, members: Members, n_members: int) -> tuple[Scores, Ids]:
        effort = max(k, round(self._ef_search * self._effort(n_members)))
        selector = self._selector(members, n_members)
        parameters = library().SearchParametersHNSW(sel=selector, efSearch=effort)
        scores, ids = self._structure.search(queries, k, params=parameters)
        return np.where(ids < 0, np.float32(-np.inf), scores), ids
