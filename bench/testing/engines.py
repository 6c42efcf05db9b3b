"""Rules for engines of an index.

Conventions: the index has 500 unit vectors of 24 values in 20 clusters, of which the first 400 are added; the
id of a vector is its row. Queries are 20 other vectors of these clusters.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.retrieval.engines.exact import nearest
from bench.testing.checks import Check, Rule, Subject, build_checks
from bench.types import Embeddings
from bench.types.retrieval import Engine, Ids, Scores

N_ROWS, N_ADDED, N_QUERIES, DIM = 500, 400, 20, 24

K = 10

LEAST_RECALL = 0.8
"""Smallest share of the exact neighbours that a search returns."""

SLACK = 1e-4
"""Largest difference of a score from the inner product."""


class EngineSubject(Subject[Engine]):
    """An engine under test: a factory that is called with a folder and the vectors of an index."""

    def __init__(self, factory: Callable[[Path, Embeddings], Engine]) -> None:
        rng = np.random.default_rng(7)
        centres = rng.normal(size=(20, DIM))[np.arange(N_ROWS + N_QUERIES) % 20]
        X: Embeddings = (centres + 0.5 * rng.normal(size=centres.shape)).astype(np.float32)
        X /= np.linalg.norm(X, axis=1, keepdims=True)
        self.vectors, self.queries = X[:N_ROWS], X[N_ROWS:]
        self.open = factory
        super().__init__(self.filled)

    def folder(self) -> Path:
        """Return a new folder, which is removed with the subject."""
        folder = Path(tempfile.mkdtemp(prefix="bench-engine-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def filled(self, folder: Path | None = None) -> Engine:
        """Return a new engine with the first vectors."""
        engine = self.open(folder or self.folder(), self.vectors.copy())
        ids = np.arange(N_ADDED)
        engine.add(ids, self.vectors[ids].copy())
        return engine

    def assert_near(self, answer: tuple[Scores, Ids], ids: Ids) -> None:
        """Compare an answer for the queries with an exact search among ids."""
        scores, neighbours = answer
        expected, nearest_ids = nearest(self.vectors, self.queries, K, ids)
        assert neighbours.shape == scores.shape == expected.shape, f"shape {neighbours.shape}"
        strange = np.setdiff1d(neighbours, np.append(ids, -1))
        assert not len(strange), f"ids {strange[:5].tolist()} must not be there"
        n_there = min(K, len(ids))
        assert (neighbours[:, :n_there] >= 0).all(), f"fewer than {n_there} neighbours"
        right = np.mean(
            [np.isin(a[:n_there], b).mean() for a, b in zip(nearest_ids, neighbours, strict=True)]
        )
        assert right >= LEAST_RECALL, f"{right:.2f} of the exact neighbours"


def returns_the_nearest(subject: EngineSubject) -> None:
    """At least 80 % of the exact neighbours are returned, each query with k different ids."""
    scores, ids = subject.plugin.search(subject.queries, K)
    subject.assert_near((scores, ids), np.arange(N_ADDED))
    assert all(len(set(row)) == K for row in ids.tolist()), "an id twice"


def scores_are_inner_products(subject: EngineSubject) -> None:
    """A score is the inner product of the query and the vector, and falls along the neighbours."""
    scores, ids = subject.plugin.search(subject.queries, K)
    products = np.einsum("qkd,qd->qk", subject.vectors[ids], subject.queries)
    np.testing.assert_allclose(scores, products, atol=SLACK)
    assert (np.diff(scores, axis=1) <= SLACK).all(), "not the nearest first"


def queries_stay_apart(subject: EngineSubject) -> None:
    """A query gets the same neighbours alone and among others."""
    _, together = subject.plugin.search(subject.queries, K)
    alone = np.concatenate([subject.plugin.search(query[None], K)[1] for query in subject.queries])
    np.testing.assert_array_equal(together, alone)


def fills_up(subject: EngineSubject) -> None:
    """With k above the number of vectors, all are returned, then id -1 with score -inf."""
    scores, ids = subject.plugin.search(subject.queries[:2], N_ADDED + 3)
    assert ids.shape == scores.shape == (2, N_ADDED + 3), f"shape {ids.shape}"
    for row in ids:
        np.testing.assert_array_equal(np.sort(row[:N_ADDED]), np.arange(N_ADDED))
    assert (ids[:, N_ADDED:] == -1).all(), f"ids {ids[0, N_ADDED:].tolist()} behind all"
    assert np.isneginf(scores[:, N_ADDED:]).all(), f"scores {scores[0, N_ADDED:].tolist()} behind all"


def respects_what_is_allowed(subject: EngineSubject) -> None:
    """Only allowed ids are returned, k of them if there are k, however far they are."""
    everything = np.arange(N_ADDED)
    for allowed in (everything[::2], everything[everything % 20 == 3], everything[:K]):
        subject.assert_near(subject.plugin.search(subject.queries, K, allowed), allowed)


def allowed_ids_may_be_few_or_absent(subject: EngineSubject) -> None:
    """Allowed ids that are not in the engine are not returned; none at all gives no neighbour."""
    for allowed in (np.array([5, 9]), np.array([7, N_ADDED + 1, N_ROWS - 1]), np.empty(0, np.int64)):
        there = allowed[allowed < N_ADDED]
        _, ids = subject.plugin.search(subject.queries, K, allowed)
        np.testing.assert_array_equal(np.sort(ids)[:, K - len(there) :], np.tile(there, (N_QUERIES, 1)))
        assert (ids >= 0).sum() == len(there) * N_QUERIES, "ids that are not in the engine"


def removed_ids_never_come_back(subject: EngineSubject) -> None:
    """Removed ids are not returned, neither after a save nor after other ids are added."""
    folder = subject.folder()
    engine = subject.filled(folder)
    gone = np.arange(0, N_ADDED, 3)
    engine.remove(gone)
    engine.remove(np.append(gone[:2], N_ROWS - 1))  # is not there
    rest = np.setdiff1d(np.arange(N_ADDED), gone)
    subject.assert_near(engine.search(subject.queries, K), rest)
    subject.assert_near(engine.search(subject.queries, K, np.arange(N_ADDED)), rest)
    engine.save()
    engine = subject.open(folder, subject.vectors.copy())
    new = np.arange(N_ADDED, N_ROWS)
    engine.add(new, subject.vectors[new].copy())
    subject.assert_near(engine.search(subject.queries, K), np.concatenate([rest, new]))


def opens_as_it_was_saved(subject: EngineSubject) -> None:
    """An engine that is opened again in its folder gives the same answers."""
    folder = subject.folder()
    engine = subject.filled(folder)
    engine.save()
    scores, ids = subject.open(folder, subject.vectors.copy()).search(subject.queries, K)
    expected, same = engine.search(subject.queries, K)
    np.testing.assert_array_equal(ids, same)
    np.testing.assert_allclose(scores, expected, atol=SLACK)


def adds_after_a_save(subject: EngineSubject) -> None:
    """Vectors that are added after a save are returned, and are there after the next save."""
    folder = subject.folder()
    engine = subject.filled(folder)
    engine.save()
    new = np.arange(N_ADDED, N_ROWS)
    engine.add(new, subject.vectors[new].copy())
    subject.assert_near(engine.search(subject.queries, K), np.arange(N_ROWS))
    engine.save()
    again = subject.open(folder, subject.vectors.copy())
    subject.assert_near(again.search(subject.queries, K), np.arange(N_ROWS))


def an_empty_one_answers(subject: EngineSubject) -> None:
    """An engine without vectors returns id -1 and score -inf, new, saved and opened again."""
    folder = subject.folder()
    engine = subject.open(folder, subject.vectors.copy())
    engine.save()
    for each in (engine, subject.open(folder, subject.vectors.copy())):
        scores, ids = each.search(subject.queries, K)
        assert ids.shape == (N_QUERIES, K), f"shape {ids.shape}"
        assert (ids == -1).all(), "ids"
        assert np.isneginf(scores).all(), "scores"


def leaves_its_input_alone(subject: EngineSubject) -> None:
    """Neither add, remove nor search modifies what it gets."""
    engine = subject.open(subject.folder(), subject.vectors)
    ids, vectors, queries = np.arange(N_ADDED), subject.vectors[:N_ADDED].copy(), subject.queries.copy()
    whole = subject.vectors.copy()
    engine.add(ids, vectors)
    engine.search(queries, K, ids)
    engine.remove(ids[:3])
    np.testing.assert_array_equal(ids, np.arange(N_ADDED))
    np.testing.assert_array_equal(vectors, whole[:N_ADDED])
    np.testing.assert_array_equal(subject.vectors, whole)
    np.testing.assert_array_equal(queries, subject.queries)


RULES: Sequence[Rule] = (
    returns_the_nearest,
    scores_are_inner_products,
    queries_stay_apart,
    fills_up,
    respects_what_is_allowed,
    allowed_ids_may_be_few_or_absent,
    removed_ids_never_come_back,
    opens_as_it_was_saved,
    adds_after_a_save,
    an_empty_one_answers,
    leaves_its_input_alone,
)


def check_engine(
    factory: Callable[[Path, Embeddings], Engine], expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Return the checks of an engine of an index.

    Parameters
    ----------
    factory : Callable[[Path, Embeddings], Engine]
        The class, or what else returns an engine for a folder and the vectors of an index.
    expected_failures : Mapping[str, str] | None
        As in `check_extractor`.
    """
    return build_checks(RULES, EngineSubject(factory), expected_failures)
