"""IVF: lists of short codes around centres; a search reads the nearest lists and ranks their best exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import UsageError
from bench.retrieval.engines.exact import NONE, nothing
from bench.retrieval.engines.faiss_engine import FaissEngine, library
from bench.retrieval.engines.members import Members
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

N_TRAINING = 64
"""Vectors per list from which the centres are computed."""

FEWEST = 39
"""Fewest vectors per list for which faiss computes centres without a warning."""

PROBES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
"""What `n_probes` may be tuned to."""

RANKS = (20, 50, 100, 200, 400, 800, 1600)
"""What `n_ranked` may be tuned to."""

BLOCK = 2**22
"""Largest number of values of vectors that are read at once to rank candidates."""


class Ivf(FaissEngine):
    """Lists of codes of some bits per value; the best candidates are ranked by the vectors of the index.

    Parameters
    ----------
    n_lists : int
        Number of centres; 0 for a power of 2 near twice the square root of the number of vectors.
    code : str
        Code of a vector, as faiss names it: ``RaBitQ`` (a bit per value), ``PQ48`` (48 bytes), ``SQ8``.
    n_probes : int
        Number of lists that a search reads.
    n_ranked : int
        Number of candidates that are ranked exactly.

    References
    ----------
    Jégou et al., "Product quantization for nearest neighbor search", IEEE TPAMI 33, 2011. Gao and Long,
    "RaBitQ: quantizing high-dimensional vectors with a theoretical error bound for approximate nearest
    neighbor search", SIGMOD 2024.
    """

    def __init__(
        self,
        folder: Path,
        vectors: Embeddings,
        *,
        n_lists: int = 0,
        code: str = "RaBitQ",
        n_probes: int = 16,
        n_ranked: int = 200,
    ) -> None:
        self._n_lists = n_lists
        self._code = code
        self._n_probes = n_probes
        self._n_ranked = n_ranked
        super().__init__(folder, vectors)

    @property
    def settings(self) -> Sequence[Mapping[str, int]]:
        """Return what a search may be tuned to, what reads the fewest bytes first."""
        if self._structure is None:
            return []
        n_lists = self._structure.nlist
        of_list = self._structure.code_size * self._structure.ntotal / n_lists
        of_vector = self._vectors.itemsize * self._vectors.shape[1]
        pairs = product([n for n in PROBES if n <= n_lists], RANKS)
        ascending = sorted(pairs, key=lambda pair: pair[0] * of_list + pair[1] * of_vector)
        return [{"n_probes": n_probes, "n_ranked": n_ranked} for n_probes, n_ranked in ascending]

    def configure(self, n_probes: int, n_ranked: int) -> None:
        """Set how thorough a search is."""
        self._n_probes = n_probes
        self._n_ranked = n_ranked

    def _delete(self, ids: Ids) -> None:
        self._structure.remove_ids(ids)

    def _create(self) -> Any:
        faiss = library()
        n_rows, dim = self._vectors.shape
        n_lists = self._n_lists or 2 ** round(np.log2(2 * np.sqrt(n_rows)))
        rows = np.random.default_rng(0).choice(n_rows, min(n_rows, N_TRAINING * n_lists), replace=False)
        sample = self._vectors[np.sort(rows)]
        sample = sample[sample.any(axis=1)]  # rows of removed chunks are zeros
        n_lists = max(1, min(n_lists, len(sample) // FEWEST))
        try:
            lists = faiss.index_factory(dim, f"IVF{n_lists},{self._code}", faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            raise UsageError(f"code '{self._code}' is none of faiss; expected RaBitQ, PQ48 or SQ8") from error
        lists.cp.min_points_per_centroid = 1  # no warning of few vectors on standard error
        lists.train(np.ascontiguousarray(sample if len(sample) else np.zeros((1, dim)), np.float32))
        return lists

    def _ask(self, queries: Embeddings, k: int, members: Members, n_members: int) -> tuple[Scores, Ids]:
        n_probes = min(self._structure.nlist, round(self._n_probes * self._effort(n_members)))
        parameters = library().SearchParametersIVF(sel=self._selector(members, n_members), nprobe=n_probes)
        n_ranked = min(max(k, self._n_ranked), n_members)
        _, candidates = self._structure.search(queries, n_ranked, params=parameters)
        scores, ids = nothing(len(queries), k)
        size = max(1, BLOCK // (n_ranked * self._vectors.shape[1]))
        for start in range(0, len(queries), size):
            part = slice(start, start + size)
            best = rank(self._vectors, queries[part], candidates[part], k)
            scores[part, : best[0].shape[1]], ids[part, : best[1].shape[1]] = best
        return scores, ids


def rank(vectors: Embeddings, queries: Embeddings, candidates: Ids, k: int) -> tuple[Scores, Ids]:
    """Return the nearest of the candidates of every query, by their inner products.

    Parameters
    ----------
    candidates : Ids
        shape=(n_queries, n_candidates); -1 for none.

    Returns
    -------
    tuple[Scores, Ids]
        Each of shape=(n_queries, at most k).
    """
    candidates = np.sort(candidates)  # so that the smaller of two ids with one score comes first
    products = np.matmul(vectors.take(candidates, axis=0), queries[:, :, None])[:, :, 0]
    products[candidates == NONE] = -np.inf
    order = np.argsort(-products, kind="stable")[:, :k]
    return np.take_along_axis(products, order, axis=1), np.take_along_axis(candidates, order, axis=1)
