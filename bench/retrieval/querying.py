"""Querying: the chunks of one state of an index that are nearest to a query."""

from __future__ import annotations

import logging

import numpy as np

from bench.retrieval.engines.exact import NONE
from bench.retrieval.engines.neighbours import REMARKS, open_engine
from bench.retrieval.index import Index
from bench.retrieval.snapshot import Snapshot
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

log = logging.getLogger(__name__)

NOBODY: Ids = np.empty(0, np.int64)


class Searcher:
    """Finds the nearest chunks of one state of an index; a line says if its engine cannot help.

    Raises
    ------
    UnavailableError
        If the engine needs a library that is not installed.
    """

    def __init__(self, index: Index, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._neighbours = open_engine(index.path, index.card, snapshot)
        if self._neighbours.state in REMARKS:
            log.warning("%s: %s", index.path, REMARKS[self._neighbours.state])

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
            Chunks that may not, such as those of the query's own clip.

        Returns
        -------
        tuple[Scores, Ids]
            Each of shape=(n_queries, k). Where fewer are there, the score is -inf and the id is -1.
        """
        if allowed is not None:
            return self._neighbours.search(queries, k, np.setdiff1d(allowed, excluded, assume_unique=True))
        scores, ids = self._neighbours.search(queries, k + len(excluded))
        is_out = np.isin(ids, excluded)
        order = np.argsort(is_out, axis=1, kind="stable")[:, :k]  # those that are out go behind the others
        scores = np.where(is_out, -np.inf, scores).astype(np.float32)
        ids = np.where(is_out, NONE, ids)
        return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)
