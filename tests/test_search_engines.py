"""Engines: what each keeps to, and exact search against references."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

pytest.importorskip("faiss", reason="needs the extra 'search'")

import faiss

from bench.errors import PluginError, UnavailableError, UsageError
from bench.retrieval.card import EngineCard
from bench.retrieval.engines import exact
from bench.retrieval.engines.exact import Exact, nearest
from bench.retrieval.engines.hnsw import Hnsw
from bench.retrieval.engines.ivf import Ivf
from bench.retrieval.engines.lance import Lance
from bench.retrieval.engines.names import choose, create, names
from bench.testing import Check, check_engine
from bench.types import Embeddings


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Let faiss compute in one thread: for few vectors, its threads mostly wait for each other."""
    with threadpool_limits(limits=1):
        yield


KEEPS_NOTHING = dict.fromkeys(
    ["removed_ids_never_come_back", "opens_as_it_was_saved", "adds_after_a_save"],
    "an index tells an exact search its ids",
)


@pytest.mark.parametrize(
    "check",
    [*check_engine(Exact, KEEPS_NOTHING), *check_engine(Hnsw), *check_engine(Ivf)],
    ids=str,
)
def test_conformance(check):
    check()


@pytest.mark.slow
@pytest.mark.parametrize("check", check_engine(Lance), ids=str)
def test_conformance_of_lancedb(check):
    check()


class Good(Exact):
    """An exact search that keeps its ids."""

    def __init__(self, folder: Path, vectors: Embeddings) -> None:
        super().__init__(folder, vectors)
        self._file = folder / "ids.npy"
        if self._file.exists():
            self._ids = np.load(self._file)

    def save(self):
        np.save(self._file, self._ids)


class Random(Good):
    def search(self, queries, k, allowed=None):
        return super().search(np.roll(queries, 5, axis=1), k, allowed)


class Distances(Good):
    def search(self, queries, k, allowed=None):
        scores, ids = super().search(queries, k, allowed)
        return 2 - 2 * scores, ids


class WarmsUp(Good):
    def search(self, queries, k, allowed=None):
        scores, ids = super().search(queries, k, allowed)
        return (scores, ids) if len(queries) > 1 else (scores[:, ::-1], ids[:, ::-1])


class NoMoreThanThere(Good):
    def search(self, queries, k, allowed=None):
        return super().search(queries, min(k, len(self._ids)), allowed)


class FiltersAfterwards(Good):
    def search(self, queries, k, allowed=None):
        scores, ids = super().search(queries, k)
        if allowed is not None:
            is_out = ~np.isin(ids, allowed)
            scores[is_out], ids[is_out] = -np.inf, -1
        return scores, ids


class AllowsEverything(Good):
    def search(self, queries, k, allowed=None):
        return nearest(self._vectors, queries, k, self._ids if allowed is None else allowed)


class ForgetsRemovals(Good):
    def save(self):
        np.save(self._file, np.arange(self._ids.max(initial=-1) + 1))


class SavesOnce(Good):
    def save(self):
        if not self._file.exists():
            super().save()


class SavesLess(Good):
    def save(self):
        np.save(self._file, self._ids[::2])


class NeedsVectors(Good):
    def search(self, queries, k, allowed=None):
        assert self._ids.size
        return super().search(queries, k, allowed)


class Normalises(Good):
    def search(self, queries, k, allowed=None):
        queries *= 0.5
        scores, ids = super().search(queries, k, allowed)
        return 2 * scores, ids


BAD = [
    (Random, "returns_the_nearest"),
    (Distances, "scores_are_inner_products"),
    (WarmsUp, "queries_stay_apart"),
    (NoMoreThanThere, "fills_up"),
    (FiltersAfterwards, "respects_what_is_allowed"),
    (AllowsEverything, "allowed_ids_may_be_few_or_absent"),
    (ForgetsRemovals, "removed_ids_never_come_back"),
    (SavesLess, "opens_as_it_was_saved"),
    (SavesOnce, "adds_after_a_save"),
    (NeedsVectors, "an_empty_one_answers"),
    (Normalises, "leaves_its_input_alone"),
]


def broken(checks: list[Check]) -> set[str]:
    names = set()
    for check in checks:
        try:
            check()
        except AssertionError:
            names.add(check.name)
    return names


def test_an_exact_search_that_keeps_its_ids_passes_every_check():
    assert broken(check_engine(Good)) == set()


@pytest.mark.parametrize(("engine", "rule"), BAD, ids=[engine.__name__ for engine, _ in BAD])
def test_a_bad_engine_breaks_the_rule(engine, rule):
    assert rule in broken(check_engine(engine))


@pytest.fixture(scope="module")
def unit() -> Callable[[int, int], Embeddings]:
    """Return a function that draws unit vectors."""
    rng = np.random.default_rng(1)

    def draw(n: int, dim: int = 32) -> Embeddings:
        X = rng.standard_normal((n, dim), dtype=np.float32)
        return X / np.linalg.norm(X, axis=1, keepdims=True)

    return draw


@pytest.mark.parametrize("block", [2**24, 4000], ids=["one block", "many blocks"])
def test_an_exact_search_equals_numpy_and_faiss(unit, block, monkeypatch):
    monkeypatch.setattr(exact, "BLOCK", block)
    X, queries = unit(2000), unit(30)
    scores, ids = nearest(X, queries, 10, np.arange(2000))
    products = queries.astype(np.float64) @ X.T.astype(np.float64)
    np.testing.assert_array_equal(ids, np.argsort(-products, axis=1)[:, :10])
    flat = faiss.IndexFlatIP(32)
    flat.add(X)
    expected, same = flat.search(queries, 10)
    np.testing.assert_array_equal(ids, same)
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_an_exact_search_of_some_ids_equals_one_of_their_vectors_alone(unit):
    X, queries = unit(500), unit(10)
    ids = np.arange(3, 500, 7)
    scores, neighbours = nearest(X, queries, 5, ids)
    expected, rows = nearest(X[ids].copy(), queries, 5, np.arange(len(ids)))
    np.testing.assert_array_equal(neighbours, ids[rows])
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_of_more_equal_vectors_in_a_block_than_asked_for_the_smaller_ids_come():
    X = np.repeat(np.eye(2, dtype=np.float32), 50, axis=0)
    _, ids = nearest(X, X[[60, 0]], 3, np.arange(100))
    assert ids.tolist() == [[50, 51, 52], [0, 1, 2]]


def test_of_equal_vectors_the_smaller_ids_come_first(unit, monkeypatch):
    monkeypatch.setattr(exact, "BLOCK", 16 * 32)
    X = np.repeat(unit(4), 16, axis=0)[np.arange(64).reshape(4, 16).T.ravel()]
    _, ids = nearest(X, X[:4], 8, np.arange(64))
    np.testing.assert_array_equal(ids, np.arange(0, 32, 4) + np.arange(4)[:, None])


@pytest.mark.parametrize("engine", [Hnsw, Ivf])
def test_an_engine_of_vectors_without_direction_answers(engine, tmp_path):
    silence = np.zeros((60, 8), np.float32)
    index = engine(tmp_path, silence)
    index.add(np.arange(60), silence)
    scores, ids = index.search(np.ones((2, 8), np.float32), 60)
    assert (scores == 0).all()
    np.testing.assert_array_equal(np.sort(ids), np.tile(np.arange(60), (2, 1)))


def test_the_lists_of_an_engine_are_found_without_the_rows_of_removed_chunks(unit, tmp_path):
    X = np.concatenate([np.zeros((900, 32), np.float32), unit(100)])
    index = Ivf(tmp_path, X, n_probes=2)
    index.add(np.arange(900, 1000), X[900:])
    assert index.search(X[900:], 1)[1].ravel().tolist() == list(range(900, 1000))


@pytest.mark.parametrize("engine", [Hnsw, Ivf])
def test_a_filter_far_from_the_query_is_filled(unit, engine, tmp_path):
    X = unit(2000)
    X = X[np.argsort(X[:, 0])]
    index = engine(tmp_path, X)
    index.add(np.arange(2000), X)
    far = np.arange(1800, 2000)
    scores, ids = index.search(X[:20], 200, far)
    np.testing.assert_array_equal(np.sort(ids), np.tile(far, (20, 1)))
    scores, _ = index.search(X[:20], 10, far)
    expected, _ = nearest(X, X[:20], 10, far)
    assert np.mean(scores >= expected[:, -1:] - 1e-6) > 0.8


def test_auto_is_exact_up_to_a_million_vectors():
    assert (choose("auto", 10**6), choose("auto", 10**6 + 1), choose("hnsw", 3)) == ("exact", "ivf", "hnsw")


def test_an_unknown_engine_is_refused_with_the_names_of_all():
    with pytest.raises(UsageError, match=r"engine .hsnw. is unknown; expected one of auto, exact, hnsw"):
        choose("hsnw", 10)


def test_without_faiss_the_line_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "faiss", None)
    engine = create(EngineCard(name="hnsw"), tmp_path, np.eye(4, dtype=np.float32))
    with pytest.raises(UnavailableError, match=r'needs faiss: pip install "audio-embedding-bench\[search\]"'):
        engine.add(np.arange(4), np.eye(4, dtype=np.float32))


def test_a_code_that_faiss_lacks_is_refused(tmp_path):
    with pytest.raises(UsageError, match="code 'PQ99y' is none of faiss"):
        Ivf(tmp_path, np.eye(4, dtype=np.float32), code="PQ99y").add(
            np.arange(4), np.eye(4, dtype=np.float32)
        )


@pytest.fixture
def plugin(site: Path, distribution, monkeypatch) -> None:
    """Install a distribution with two engines."""
    code = """
        from bench.retrieval.engines.exact import Exact

        class Mine(Exact):
            def __init__(self, folder, vectors, *, speed=1):
                super().__init__(folder, vectors)
                self.speed = speed

        def broken(folder, vectors):
            raise KeyError("no such disk")
    """

    entries = {"bench.engines": {"mine": "near:Mine", "broken": "near:broken"}}
    distribution("near-engines", {"near": textwrap.dedent(code)}, entries)
    monkeypatch.syspath_prepend(str(site))


@pytest.mark.usefixtures("plugin")
def test_an_installed_distribution_brings_engines(tmp_path):
    assert "near-engines/mine" in names()
    card = EngineCard(name=choose("near-engines/mine", 9), parameters={"speed": 7})
    engine = create(card, tmp_path, np.eye(4, dtype=np.float32))
    assert (type(engine).__name__, engine.speed) == ("Mine", 7)
    with pytest.raises(
        PluginError, match="engine 'near-engines/broken' cannot be opened: KeyError: 'no such disk'"
    ):
        create(EngineCard(name="near-engines/broken"), tmp_path, np.eye(4, dtype=np.float32))
