"""Speed as ratios in one run: engines of an index against bare calls of numpy and faiss."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from bench.retrieval.engines.exact import nearest
from bench.retrieval.engines.hnsw import Hnsw
from bench.retrieval.engines.ivf import N_TRAINING, Ivf
from bench.types import Embeddings

MOST = 1.1
"""Largest ratio of our time to that of the libraries' calls."""

N, DIM = 30_000, 384


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Compute in one thread."""
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(scope="module")
def vectors() -> Embeddings:
    """Return unit vectors in clusters, of which the last 200 are queries."""
    rng = np.random.default_rng(0)
    scales = np.arange(1, DIM + 1) ** -0.5
    X = rng.normal(size=(64, DIM))[rng.integers(64, size=N + 200)] + 1.5 * rng.normal(size=(N + 200, DIM))
    X *= scales
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


def plain(name: str, X: Embeddings) -> Any:
    """Return an index of faiss like those of an engine."""
    if name == "hnsw":
        index = faiss.IndexHNSWFlat(DIM, 32, faiss.METRIC_INNER_PRODUCT)
    else:
        index = faiss.index_factory(DIM, "IVF256,RaBitQ", faiss.METRIC_INNER_PRODUCT)
        index.train(X[np.sort(np.random.default_rng(0).choice(N, N_TRAINING * 256, replace=False))])
    index.add(X)
    return index


def engine(name: str, folder: Path, X: Embeddings) -> Hnsw | Ivf:
    """Return an engine of an index with its vectors."""
    built = Hnsw(folder, X) if name == "hnsw" else Ivf(folder, X, n_lists=256)
    built.add(np.arange(N), X)
    return built


@pytest.mark.parametrize("name", ["hnsw", "ivf"])
def test_an_engine_is_built(benchmark, fastest, vectors, name, tmp_path):
    X = vectors[:N]
    ours_s, bare_s = fastest(lambda: engine(name, tmp_path, X), lambda: plain(name, X), rounds=2)
    benchmark.extra_info |= {"ratio": ours_s / bare_s, "ours_s": ours_s}
    benchmark.pedantic(lambda: None, rounds=1)
    assert ours_s / bare_s <= MOST


@pytest.mark.parametrize("name", ["hnsw", "ivf"])
def test_200_single_queries(benchmark, fastest, vectors, name, tmp_path):
    X, queries = vectors[:N], vectors[N:]
    ours, bare = engine(name, tmp_path, X), plain(name, X)
    ours.configure(**({"ef_search": 256} if name == "hnsw" else {"n_probes": 32, "n_ranked": 400}))

    def ask_bare() -> None:
        for query in queries:
            if name == "hnsw":
                bare.hnsw.efSearch = 256
                bare.search(query[None], 10)
            else:
                bare.nprobe = 32
                candidates = bare.search(query[None], 400)[1][0]
                products = X[candidates] @ query
                candidates[np.argsort(-products)[:10]]

    def ask_ours() -> None:
        for query in queries:
            ours.search(query[None], 10)

    ours_s, bare_s = fastest(ask_ours, ask_bare, rounds=5)
    benchmark.extra_info |= {"ratio": ours_s / bare_s, "ours_ms": 1000 * ours_s / len(queries)}
    benchmark.pedantic(lambda: None, rounds=1)
    assert ours_s / bare_s <= MOST


def test_200_exact_queries(benchmark, fastest, vectors):
    X, queries, ids = vectors[:N], vectors[N:], np.arange(N)

    def bare() -> None:
        for query in queries:
            products = X @ query
            top = np.argpartition(products, -10)[-10:]
            top[np.argsort(-products[top])]

    def ours() -> None:
        for query in queries:
            nearest(X, query[None], 10, ids)

    ours_s, bare_s = fastest(ours, bare)
    benchmark.extra_info |= {"ratio": ours_s / bare_s, "ours_ms": 1000 * ours_s / len(queries)}
    benchmark.pedantic(lambda: None, rounds=1)
    assert ours_s / bare_s <= MOST
