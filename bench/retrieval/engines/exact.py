"""Exact search: every vector is compared with the query, in blocks of the mapped file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

BLOCK = 2**24
"""Largest number of values that are compared at once, of vectors or of scores: 64 MiB."""

NONE = -1
"""Id where there is no neighbour; its score is -inf."""


class Exact:
    """Compares a query with every vector. It keeps no files: an index tells it the ids again.

    Parameters
    ----------
    folder : Path
        Not used.
    vectors : Embeddings
        Vectors of the index, shape=(n_rows, dim); the id of a vector is its row.
    """

    def __init__(self, folder: Path, vectors: Embeddings) -> None:
        self._vectors = vectors
        self._ids: Ids = np.empty(0, np.int64)

    def add(self, ids: Ids, vectors: Embeddings) -> None:
        """Add ids; their vectors are rows of the index."""
        self._ids = np.union1d(self._ids, ids)

    def remove(self, ids: Ids) -> None:
        """Remove ids."""
        self._ids = np.setdiff1d(self._ids, ids)

    def search(self, queries: Embeddings, k: int, allowed: Ids | None = None) -> tuple[Scores, Ids]:
        """Return the nearest vectors of every query; see `bench.types.Engine`."""
        ids = self._ids if allowed is None else np.intersect1d(self._ids, allowed)
        return nearest(self._vectors, queries, k, ids)

    def save(self) -> None:
        """Do nothing."""


def nearest(vectors: Embeddings, queries: Embeddings, k: int, ids: Ids) -> tuple[Scores, Ids]:
    """Return the vectors with the largest inner products, of equal ones that with the smaller id.

    Parameters
    ----------
    vectors : Embeddings
        shape=(n_rows, dim); the id of a vector is its row.
    queries : Embeddings
        shape=(n_queries, dim).
    k : int
        At least 1.
    ids : Ids
        What is compared, ascending.

    Returns
    -------
    tuple[Scores, Ids]
        Each of shape=(n_queries, k), the nearest first.
    """
    scores, neighbours = nothing(len(queries), k)
    size = max(1, BLOCK // max(len(queries), vectors.shape[1]))
    for start in range(0, len(ids), size):
        part = ids[start : start + size]
        products = queries @ rows_of(vectors, part).T
        if start:  # most are farther than what is there already
            columns = np.flatnonzero((products > scores[:, -1:]).any(axis=0))
            products, part = products[:, columns], part[columns]
        candidates = np.broadcast_to(part, products.shape)
        if len(part) > k:
            top = _largest(products, k)
            products, candidates = np.take_along_axis(products, top, axis=1), part[top]
        scores, neighbours = merge((scores, neighbours), (products, candidates), k)
    return scores, neighbours


def _largest(products: Scores, k: int) -> Ids:
    """Return the columns of the k largest values of every row, of equal ones the first; k < n_columns."""
    top = np.argpartition(products, -k, axis=1)[:, -k:]
    lowest = np.take_along_axis(products, top, axis=1).min(axis=1, keepdims=True)
    n_candidates = np.count_nonzero(products >= lowest, axis=1)
    for row in np.flatnonzero(n_candidates > k):  # more columns than k have the lowest value
        columns = np.flatnonzero(products[row] >= lowest[row])
        top[row] = columns[np.argsort(-products[row, columns], kind="stable")[:k]]
    return np.asarray(top, np.int64)


def rows_of(vectors: Embeddings, ids: Ids) -> Embeddings:
    """Return rows by ascending ids: a view of the file where they follow each other."""
    if len(ids) and ids[-1] - ids[0] == len(ids) - 1:
        return vectors[ids[0] : ids[-1] + 1]
    return vectors[ids]


def nothing(n_queries: int, k: int) -> tuple[Scores, Ids]:
    """Return the neighbours of queries that have none."""
    return np.full((n_queries, k), -np.inf, np.float32), np.full((n_queries, k), NONE)


def merge(first: tuple[Scores, Ids], second: tuple[Scores, Ids], k: int) -> tuple[Scores, Ids]:
    """Return the nearest of two sets of neighbours of the same queries, which share no id."""
    scores = np.concatenate([first[0], second[0]], axis=1)
    ids = np.concatenate([first[1], second[1]], axis=1)
    order = np.lexsort((ids, -scores))[:, :k]
    return np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)
