"""How an engine is built, tuned and measured with an index, and follows it."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

pytest.importorskip("faiss", reason="needs the extra 'search'")

import faiss

from bench.errors import UsageError
from bench.retrieval.card import EngineCard, IndexCard
from bench.retrieval.engines import maintenance, neighbours
from bench.retrieval.engines.exact import Exact, nearest
from bench.retrieval.engines.ivf import Ivf
from bench.retrieval.engines.lance import Lance
from bench.retrieval.engines.maintenance import build, damage, update
from bench.retrieval.engines.marker import read_marker
from bench.retrieval.engines.neighbours import open_engine
from bench.retrieval.engines.recall import Reference, interval, measure
from bench.retrieval.engines.tuning import tune
from bench.retrieval.index import Index
from bench.retrieval.records import Item
from bench.types import Embeddings, View
from bench.types.retrieval import Ids

DIM, N = 16, 2000


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Let faiss compute in one thread: for few vectors, its threads mostly wait for each other."""
    with threadpool_limits(limits=1):
        yield


@dataclass(frozen=True, slots=True)
class State:
    """One state of an index."""

    vectors: Embeddings
    ids: Ids


@pytest.fixture(scope="module")
def vectors() -> Embeddings:
    """Return unit vectors in clusters."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, DIM))[rng.integers(60, size=N)] + 0.6 * rng.normal(size=(N, DIM))
    return (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def half(vectors) -> State:
    """Return the first half of the vectors."""
    return State(vectors[: N // 2], np.arange(N // 2))


@pytest.fixture(scope="module")
def changed(vectors) -> State:
    """Return a later state: most of the first half, and the second."""
    return State(vectors, np.setdiff1d(np.arange(N), np.arange(0, N // 2, 5)))


def card_of(engine: str, **parameters: object) -> IndexCard:
    """Return the card of an index with an engine."""
    named = EngineCard(name=engine, parameters=parameters)
    return IndexCard(extractor="mfcc", identity="1", view=View(), dim=DIM, engine=named, id="a" * 32)


@pytest.fixture(scope="module")
def originals(tmp_path_factory, half) -> Mapping[str, tuple[Path, IndexCard]]:
    """Return an index of the first half by each engine: engine -> its folder and its card."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("hnsw", "ivf")}
    return {name: (folder, build(folder, card_of(name), half)) for name, folder in folders.items()}


@pytest.fixture
def built(originals, tmp_path, request: pytest.FixtureRequest) -> IndexCard:
    """Return the card of a copy of an index in the test's folder, by IVF unless the test says otherwise."""
    folder, card = originals[getattr(request, "param", "ivf")]
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return card


both = pytest.mark.parametrize("built", ["hnsw", "ivf"], indirect=True)


def assert_exact(index: neighbours.Neighbours, state: State, least: float = 0.9) -> None:
    """Compare the nearest of some queries with an exact search, also among every third id."""
    queries = state.vectors[-40:]
    for allowed in (None, state.ids[::3]):
        ids = state.ids if allowed is None else allowed
        expected, _ = nearest(state.vectors, queries, 10, ids)
        scores, answer = index.search(queries, 10, allowed)
        assert np.isin(answer, ids).all()
        assert all(len(set(row)) == 10 for row in answer.tolist())
        products = np.einsum("qkd,qd->qk", state.vectors[answer], queries)
        np.testing.assert_allclose(scores, products, atol=1e-5)
        assert np.mean(scores >= expected[:, -1:] - 1e-6) >= least


@both
def test_a_search_sees_what_was_added_and_not_what_was_removed(tmp_path, built, changed, monkeypatch):
    monkeypatch.setattr(neighbours, "MOST_COMPARED", 0)
    index = open_engine(tmp_path, built, changed)
    assert index.state == "whole"
    assert_exact(index, changed)


def test_a_few_changes_leave_the_files_as_they_are(tmp_path, built, changed):
    before = read_marker(tmp_path / "engine")
    update(tmp_path, built, changed)
    assert read_marker(tmp_path / "engine") == before


@both
def test_many_changes_are_written(tmp_path, built, half, vectors, monkeypatch):
    monkeypatch.setattr(maintenance, "MOST_BEHIND", 0)
    state = State(vectors[:1400], np.setdiff1d(np.arange(1400), half.ids[::5]))
    update(tmp_path, built, state)
    marker = read_marker(tmp_path / "engine")
    assert (marker.n_rows, marker.n_ids, marker.n_built) == (1400, 1200, 1000)
    index = open_engine(tmp_path, built, state)
    assert index.state == "whole"
    assert_exact(index, state)


def test_an_engine_that_has_doubled_is_built_again(tmp_path, built, vectors, monkeypatch):
    monkeypatch.setattr(maintenance, "MOST_BEHIND", 0)
    state = State(vectors, np.arange(N))
    update(tmp_path, built, state)
    assert read_marker(tmp_path / "engine").n_built == N
    assert_exact(open_engine(tmp_path, built, state), state)


@both
def test_a_reader_of_an_earlier_state_sees_that_state(tmp_path, built, half, changed, monkeypatch):
    monkeypatch.setattr(maintenance, "MOST_BEHIND", 0)
    update(tmp_path, built, changed)
    index = open_engine(tmp_path, built, half)
    _, ids = index.search(half.vectors[1:40:5], 5)
    assert (ids < N // 2).all()
    assert (ids[:, 0] == np.arange(1, 40, 5)).all()


def test_a_writer_that_was_killed_leaves_an_index_that_is_searched_exactly(tmp_path, built, half, changed):
    (tmp_path / "engine" / "marker.json").unlink()
    index = open_engine(tmp_path, built, changed)
    assert index.state == "absent"
    assert_exact(index, changed, least=1)
    update(tmp_path, built, changed)
    assert open_engine(tmp_path, built, changed).state == "whole"


@pytest.mark.parametrize(
    "harm", ["shorter", "other bytes", "another file", "marker of another index", "no JSON"]
)
def test_a_damaged_engine_is_searched_exactly_and_written_again(tmp_path, built, half, harm):
    folder = tmp_path / "engine"
    marker, file = folder / "marker.json", folder / "index.faiss"
    if harm == "shorter":
        file.write_bytes(file.read_bytes()[:1000])
    elif harm == "other bytes":
        file.write_bytes(bytes(file.stat().st_size))
        assert damage(tmp_path, built) == ["engine/index.faiss"]
    elif harm == "another file":
        (folder / "more").touch()
    elif harm == "marker of another index":
        marker.write_text(marker.read_text().replace("a" * 32, "b" * 32))
    else:
        marker.write_text("{")
    index = open_engine(tmp_path, built, half)
    assert index.state == ("absent" if harm == "no JSON" else "damaged")
    assert_exact(index, half, least=1)
    update(tmp_path, built, half)
    assert open_engine(tmp_path, built, half).state == "whole"
    assert damage(tmp_path, built) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("short write")])
def test_a_full_disk_is_one_line_and_leaves_an_exact_search(tmp_path, built, half, error, monkeypatch):
    def fail(*_: object) -> None:
        raise error

    (tmp_path / "engine" / "marker.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(faiss, "write_index", fail)
        with pytest.raises(UsageError, match=r"engine: cannot be written \((No space left|short write)"):
            update(tmp_path, built, half)
    index = open_engine(tmp_path, built, half)
    assert index.state == "absent"
    assert_exact(index, half, least=1)


def test_an_index_whose_building_was_killed_before_its_card_was_written_is_searched(tmp_path, half, changed):
    card = card_of("auto")
    update(tmp_path, card, half)
    assert_exact(open_engine(tmp_path, card, changed), changed, least=1)
    unfinished = card_of("near-engines/gone")
    assert open_engine(tmp_path, unfinished, half).state == "damaged"
    assert_exact(open_engine(tmp_path, unfinished, half), half, least=1)


def test_verify_names_a_damaged_file_of_the_engine(bench, vectors, tmp_path):
    spans = [(float(row), float(row + 1)) for row in range(300)]
    item = Item("made", "a", "a.wav", "0", 0.0, 300.0, spans, {})
    index = Index.create(tmp_path / "index", card_of("ivf"))
    with index.writing() as writer:
        writer.add([item], vectors[:300])
        with index.snapshot() as snapshot:
            writer.set_card(build(index.path, index.card, snapshot))
    assert bench("index", "verify", "index").stderr == ""
    (tmp_path / "index" / "engine" / "index.faiss").write_bytes(b"torn")
    result = bench("index", "verify", "index")
    assert result.exit_code == 0
    assert (
        "index/engine/index.faiss: has changed; the next `bench index add` writes it again" in result.stderr
    )


def test_a_reader_does_not_use_files_that_change_meanwhile(tmp_path, built, half, monkeypatch):
    create = neighbours.create

    def slow(*words):
        engine = create(*words)
        (tmp_path / "engine" / "marker.json").unlink()
        return engine

    monkeypatch.setattr(neighbours, "create", slow)
    index = open_engine(tmp_path, built, half)
    assert index.state == "absent"
    assert_exact(index, half, least=1)


def test_an_exact_index_has_no_files_of_an_engine(tmp_path, half, changed):
    built = build(tmp_path, card_of("auto"), half)
    update(tmp_path, built, changed)
    assert list(tmp_path.iterdir()) == []
    index = open_engine(tmp_path, built, changed)
    assert (built.engine.name, index.state, damage(tmp_path, built)) == ("exact", "exact", [])
    assert_exact(index, changed, least=1)
    assert (built.recall.recall, built.recall.bytes_per_vector) == (1, 4 * DIM)


@pytest.mark.parametrize(
    ("engine", "size"), [("hnsw", 4 * DIM + 64 * 4), ("ivf", DIM / 8 + 8)], ids=["vectors and links", "codes"]
)
def test_the_recall_of_a_card_is_that_of_queries_that_the_engine_lacked(originals, engine, size):
    recall = originals[engine][1].recall
    assert (recall.k, recall.n_queries) == (10, 100)
    assert 0.9 <= recall.low <= recall.recall <= recall.high <= 1
    assert 0 < recall.median_ms <= recall.p99_ms
    assert size < recall.bytes_per_vector < 2.5 * size


@pytest.mark.parametrize("n", [0, 1, 40])
def test_an_index_of_few_vectors_is_built_and_searched(tmp_path, vectors, n):
    state = State(vectors[:n], np.arange(n))
    built = build(tmp_path, card_of("ivf"), state)
    assert (built.recall, built.engine.parameters) == (None, {})
    _, ids = open_engine(tmp_path, built, state).search(vectors[:3], 2)
    assert (ids >= 0).sum() == 3 * min(n, 2)
    larger = State(vectors, np.arange(N))
    assert_exact(open_engine(tmp_path, built, larger), larger)


def test_a_higher_recall_takes_a_more_thorough_search_and_is_reached(tmp_path, half, vectors):
    engine = Ivf(tmp_path, vectors)
    engine.add(half.ids, half.vectors)
    tuning, held = (
        Reference.of(vectors, vectors[part], half.ids) for part in np.split(np.arange(N // 2, N), 2)
    )
    reached = []
    for recall in (0.5, 0.9, 0.98):
        setting = tune(engine, tuning, recall)
        reached.append(setting["n_probes"] * setting["n_ranked"])
        assert held.recalls(engine).mean() >= recall
    assert reached == sorted(reached)
    assert len(set(reached)) == 3


def test_a_recall_out_of_reach_takes_the_most_thorough_search(tmp_path, half, vectors):
    engine = Ivf(tmp_path, vectors, code="PQ1x4")
    engine.add(half.ids, half.vectors)
    few = Reference.of(vectors, vectors[-10:], half.ids)
    assert tune(engine, few, 0.9999) == engine.settings[-1]


def test_a_recall_equals_that_by_scikit_learn(tmp_path, half, vectors):
    engine = Ivf(tmp_path, vectors, n_probes=1, n_ranked=12)
    engine.add(half.ids, half.vectors)
    queries = vectors[-100:]
    brute = NearestNeighbors(n_neighbors=10, algorithm="brute", metric="cosine").fit(half.vectors)
    expected = brute.kneighbors(queries, return_distance=False)
    _, ids = engine.search(queries, 10)
    shares = [np.isin(row, near).mean() for row, near in zip(ids, expected, strict=True)]
    np.testing.assert_allclose(Reference.of(vectors, queries, half.ids).recalls(engine), shares)
    assert 0.2 < np.mean(shares) < 0.9


def test_a_neighbour_as_near_as_the_last_one_counts(half, tmp_path):
    X = np.repeat(half.vectors[:50], 40, axis=0)  # every vector 40 times

    class Others(Exact):
        def search(self, queries, k, allowed=None):
            scores, ids = super().search(queries, 40, allowed)
            return scores[:, -k:], ids[:, -k:]

    engine = Others(tmp_path, X)
    engine.add(np.arange(2000), X)
    assert measure(engine, Reference.of(X, X[:30], np.arange(2000))).recall == 1


def test_the_interval_of_single_neighbours_is_clopper_and_pearsons():
    recalls = np.repeat([1.0, 0.0], [183, 17])
    exact = binomtest(183, 200).proportion_ci(0.95, "exact")
    np.testing.assert_allclose(interval(recalls, 1), exact, atol=1e-3)


@pytest.mark.slow
def test_lancedb_follows_an_index_and_may_be_elsewhere(tmp_path, half, changed, vectors, monkeypatch):
    monkeypatch.setattr(neighbours, "MOST_COMPARED", 0)
    index = tmp_path / "index"
    built = build(index, card_of(f"lance:{tmp_path / 'database'}"), half, recall=0.9)
    assert built.recall.low > 0.85
    assert_exact(open_engine(index, built, changed), changed, least=0.75)
    monkeypatch.setattr(maintenance, "MOST_BEHIND", 0)
    some = State(vectors[:1400], np.setdiff1d(np.arange(1400), half.ids[::5]))
    update(index, built, some)
    assert_exact(open_engine(index, built, some), some, least=0.75)
    _, ids = open_engine(index, built, half).search(half.vectors[1:40:5], 5)
    assert (ids[:, 0] == np.arange(1, 40, 5)).all()
    # What a killed writer did to the table is not seen, and undone by the next writer.
    killed = Lance(index / "engine", vectors, uri=str(tmp_path / "database"))
    killed.remove(np.arange(500))
    assert_exact(open_engine(index, built, some), some, least=0.75)
    assert_exact(open_engine(index, built, changed), changed, least=0.75)
