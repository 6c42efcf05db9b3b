"""Merging: nearest chunks -> hits, of which a clip has one, by its best or its mean chunk."""

from __future__ import annotations

import numpy as np

from bench.request import Merge
from bench.retrieval.querying import NOBODY, Searcher
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

MEAN_CHUNKS = 1000
"""Number of nearest chunks whose clips are ranked by the mean over all their chunks."""


def ranked(
    searcher: Searcher, queries: Embeddings, k: int, merge: Merge, allowed: Ids | None, excluded: Ids = NOBODY
) -> tuple[Ids, Scores]:
    """Return the chunks that answer a query of several vectors, the best first, and their scores.

    Parameters
    ----------
    queries : Embeddings, shape=(n_queries, dim)
        Unit vectors of the chunks of one query.
    k : int
        Number of clips, or of chunks without merging; fewer come back if there are fewer.
    merge : Merge
        With ``best``, a clip has the score of the nearest pair of its chunks and the query's, with ``mean``
        the mean over all pairs: the clips of the `MEAN_CHUNKS` nearest chunks, or more for a large `k`, take
        part. The chunk of a clip is the best one.
    allowed, excluded : Ids | None, Ids
        As of `Searcher.nearest`.
    """
    most = len(searcher.snapshot.ids if allowed is None else allowed)
    k = max(1, min(k, most))
    if merge == "none":
        ids, scores, _ = _pooled(*searcher.nearest(queries, k, allowed, excluded))
        return ids[:k], scores[:k]
    n = max(MEAN_CHUNKS, 10 * k) if merge == "mean" else 2 * k
    while True:
        n = max(1, min(n, most))
        ids, scores, reach = _pooled(*searcher.nearest(queries, n, allowed, excluded))
        files = searcher.snapshot.files_of(ids.tolist())
        _, first = np.unique(files, return_index=True)  # the best chunk of every file
        first.sort()
        # A file beyond the reach of every query may be better than those below it.
        if n >= most or reach == -np.inf or (len(first) >= k and scores[first[k - 1]] >= reach):
            break
        n *= 4
    if merge == "best":
        return ids[first][:k], scores[first][:k]
    means = _means(searcher, queries, files[first])
    order = np.argsort(-means, kind="stable")[:k]
    return ids[first][order], means[order]


def _pooled(scores: Scores, ids: Ids) -> tuple[Ids, Scores, float]:
    """Return chunks by their best score over the queries, and the score below which some may lack."""
    reach = float(scores[:, -1].max(initial=-np.inf))
    order = np.argsort(-scores, axis=None, kind="stable")
    flat_ids, flat_scores = ids.ravel()[order], scores.ravel()[order]
    _, first = np.unique(flat_ids, return_index=True)
    first = np.sort(first[flat_ids[first] >= 0])
    return flat_ids[first], flat_scores[first], reach


def _means(searcher: Searcher, queries: Embeddings, files: Ids) -> Scores:
    """Return the mean score of every file over all pairs of its chunks and the queries."""
    snapshot = searcher.snapshot
    chunks = snapshot.chunks_of(files.tolist())
    owners = snapshot.files_of(chunks.tolist())
    products = snapshot.vectors[chunks] @ queries.mean(axis=0)
    names, places = np.unique(owners, return_inverse=True)
    means = np.bincount(places, products) / np.bincount(places)
    return means[np.searchsorted(names, files)].astype(np.float32)
