"""Querying: the chunks that are nearest to a query, by the engine of an index and what it does not hold yet."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bench.retrieval.engines.exact import nearest
from bench.retrieval.index import Index
from bench.retrieval.snapshot import Snapshot
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

FEW = 20_000
"""Number of allowed chunks up to which a search compares all of them: as fast as an engine with a filter."""

NOBODY: Ids = np.empty(0, np.int64)


class Searcher:
    """Finds the nearest chunks of one state of an index."""

    def __init__(self, index: Index, snapshot: Snapshot) -> None:
        self.index = index
        self.snapshot = snapshot

    def nearest(
        self, queries: Embeddings, k: int, allowed: Ids | None = None, excluded: Ids = NOBODY
    ) -> tuple[Scores, Ids]:
        """Return the nearest chunks of every query, the nearest first.

        Parameters
        ----------
        queries : Embeddings, shape=(n_queries, dim)
            Unit vectors.
        allowed : Ids | None
            Chunks that may be returned, ascending; None for all.
        excluded : Ids
            Chunks that may not.

        Returns
        -------
        tuple[Scores, Ids]
            Each of shape=(n_queries, k). Where fewer are there, the score is -inf and the id is -1.
        """
        ids = self.snapshot.ids if allowed is None else np.intersect1d(allowed, self.snapshot.ids)
        if len(excluded):
            ids = np.setdiff1d(ids, excluded)
        return nearest(self.snapshot.vectors, queries, k, ids)
