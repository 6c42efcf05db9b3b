"""Recall: the share of the exact neighbours that an engine returns, and what a search costs."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from bench.metrics import Floats
from bench.retrieval.card import RecallCard
from bench.retrieval.engines.exact import NONE, nearest
from bench.stats.confidence import korn_graubard
from bench.types import Embeddings
from bench.types.retrieval import Engine, Ids

K = 10
"""Number of neighbours that are compared."""

N_QUERIES = 200
"""Number of queries."""

FEWEST_QUERIES = 10
"""Fewest queries that tell a recall."""

SLACK = 1e-6
"""Difference of scores that rounding explains."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Queries and their exact neighbours.

    Parameters
    ----------
    vectors : Embeddings
        Vectors of the index, shape=(n_rows, dim).
    queries : Embeddings
        shape=(n_queries, dim).
    lowest : Floats
        Score of the last exact neighbour of every query, shape=(n_queries,).
    k : int
        Number of neighbours.
    """

    vectors: Embeddings
    queries: Embeddings
    lowest: Floats
    k: int

    @classmethod
    def of(cls, vectors: Embeddings, queries: Embeddings, ids: Ids) -> Reference:
        """Return queries with their exact neighbours among ids, ascending."""
        k = min(K, len(ids))
        scores, _ = nearest(vectors, queries, k, ids)
        return cls(vectors, queries, scores[:, -1].astype(np.float64), k)

    def recalls(self, engine: Engine) -> Floats:
        """Return the share of the exact neighbours that an engine returns, shape=(n_queries,).

        A vector as near as the last exact neighbour counts as one of them.
        """
        _, ids = engine.search(self.queries, self.k)
        scores = np.einsum("qkd,qd->qk", self.vectors[ids], self.queries, dtype=np.float64)
        is_right = (scores >= self.lowest[:, None] - SLACK) & (ids != NONE)
        shares: Floats = is_right.mean(axis=1)
        return shares


def interval(recalls: Floats, k: int) -> tuple[float, float]:
    """Return the 95 % interval of a mean recall, by Korn and Graubard: a query is a group of neighbours."""
    n_queries = len(recalls)
    variance = float(recalls.var(ddof=1)) / n_queries
    low, high = korn_graubard(float(recalls.mean()), variance, n_queries * k, n_queries)
    return float(low), float(high)


def measure(engine: Engine, reference: Reference) -> RecallCard:
    """Return the recall of an engine, the time of a query in one thread, and the size of a vector."""
    recalls = reference.recalls(engine)
    times = []
    with threadpool_limits(limits=1):
        for query in reference.queries:
            start = time.perf_counter()
            engine.search(query[None], reference.k)
            times.append(1000 * (time.perf_counter() - start))
    median, p99 = np.quantile(times, [0.5, 0.99])
    low, high = interval(recalls, reference.k)
    return RecallCard(
        k=reference.k,
        n_queries=len(recalls),
        recall=float(recalls.mean()),
        low=low,
        high=high,
        median_ms=float(median),
        p99_ms=float(p99),
        bytes_per_vector=reference.vectors.itemsize * reference.vectors.shape[1],
    )
