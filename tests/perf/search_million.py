"""A million vectors like real ones: recall, latency, size and build time of an engine, and of plain faiss.

A script: ``python tests/perf/search_million.py ENGINE EMBEDDINGS.npz [N]``, where `bench embed` wrote the
embeddings. The vectors are drawn from a mixture of 64 normal distributions, whose means are those of k-means
on the standardised embeddings, and whose covariance is that of the embeddings around these means.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from bench.retrieval.card import EngineCard, IndexCard
from bench.retrieval.engines.exact import nearest
from bench.retrieval.engines.ivf import N_TRAINING
from bench.retrieval.engines.maintenance import build
from bench.retrieval.engines.neighbours import open_engine
from bench.types import Embeddings, View
from bench.types.retrieval import Ids

BLOCK = 2**16


@dataclass(frozen=True, slots=True)
class State:
    """One state of an index."""

    vectors: Embeddings
    ids: Ids


def draw(embeddings: Embeddings, n: int, file: Path) -> Embeddings:
    """Return unit vectors, shape=(n, dim), in a file, with the covariance of embeddings."""
    X = (embeddings - embeddings.mean(axis=0)) / np.maximum(embeddings.std(axis=0), 1e-9)
    means = KMeans(64, n_init=1, random_state=0).fit(X)
    values, directions = np.linalg.eigh(np.cov((X - means.cluster_centers_[means.labels_]).T))
    root = (directions * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    shares = np.bincount(means.labels_) / len(X)
    rng = np.random.default_rng(0)
    drawn = np.memmap(file, np.float32, "w+", shape=(n, X.shape[1]))
    for start in range(0, n, BLOCK):
        size = min(BLOCK, n - start)
        centres = means.cluster_centers_[rng.choice(64, size, p=shares)].astype(np.float32)
        rows = centres + rng.standard_normal((size, len(root)), dtype=np.float32) @ root.T
        drawn[start : start + size] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return drawn


def clock(name: str, work: Callable[[], object]) -> None:
    """Print the time and the processor time of some work, in s."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    print(f"{name}: {time.perf_counter() - start:.1f} s, processor {time.process_time() - cpu:.1f} s")


def plain(name: str, X: Embeddings, n_lists: int) -> None:
    """Build an index of faiss as an engine does, without its tuning."""
    dim = X.shape[1]
    if name == "hnsw":
        index = faiss.IndexHNSWFlat(dim, 32, faiss.METRIC_INNER_PRODUCT)
    else:
        index = faiss.index_factory(dim, f"IVF{n_lists},RaBitQ", faiss.METRIC_INNER_PRODUCT)
        index.train(np.ascontiguousarray(X[:: max(1, len(X) // (N_TRAINING * n_lists))]))
    for start in range(0, len(X), BLOCK):
        index.add(np.ascontiguousarray(X[start : start + BLOCK]))


def main(engine: str, embeddings: str, n: int = 1_000_000) -> None:
    """Print the figures of an engine."""
    with np.load(embeddings) as arrays:
        (X,) = (arrays[name] for name in arrays.files if arrays[name].dtype.kind == "f")
    with tempfile.TemporaryDirectory() as folder:
        drawn = draw(X, n + 200, Path(folder) / "vectors.f32")
        state, queries = State(drawn[:n], np.arange(n)), np.array(drawn[n:])
        card = IndexCard(
            extractor="drawn", identity="", view=View(), dim=X.shape[1], engine=EngineCard(name=engine)
        )
        cards = []
        clock("build, with tuning", lambda: cards.append(build(Path(folder) / "index", card, state)))
        print(cards[0].engine, cards[0].recall)
        if engine in {"hnsw", "ivf"}:
            clock(
                "build of plain faiss", lambda: plain(engine, state.vectors, 2 ** round(np.log2(2 * n**0.5)))
            )
        index = open_engine(Path(folder) / "index", cards[0], state)
        _, exact = nearest(state.vectors, queries, 10, state.ids)
        _, ids = index.search(queries, 10)
        print(
            "recall of other queries:",
            np.mean([np.isin(*pair).mean() for pair in zip(exact, ids, strict=True)]),
        )
        with threadpool_limits(limits=1):
            clock("200 single queries", lambda: [index.search(query[None], 10) for query in queries])


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:]))
