"""Speed as ratios in one run: outliers and suspects against bare calls of the libraries."""

import numpy as np
import psutil
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bench.exploration import planting
from bench.exploration.clusters import find_clusters
from bench.exploration.confident import label_quality
from bench.exploration.outliers import N_TREES, outliers

MOST = 1.25
"""Largest ratio of our time to that of the libraries' calls."""


@pytest.fixture(scope="module")
def speech() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return 4,000 vectors of 384 values of 100 groups in 4 classes, the classes, and the groups."""
    rng = np.random.default_rng(0)
    group = np.arange(4000) % 100
    places = rng.normal(size=(100, 384)) + 2 * rng.normal(size=(4, 384))[np.arange(100) % 4]
    X = places[group] + rng.normal(size=(4000, 384))
    return X.astype(np.float32), np.array(list("abcd"))[group % 4], group.astype(str)


def test_outliers_of_4000_clips(benchmark, fastest, speech):
    X, _, _ = speech

    def bare() -> None:
        scaled = StandardScaler().fit_transform(X)
        NearestNeighbors(n_neighbors=63).fit(scaled).kneighbors()
        IsolationForest(n_estimators=N_TREES, random_state=0).fit(scaled).score_samples(scaled)

    ours_s, bare_s = fastest(lambda: outliers(X), bare, rounds=2)
    benchmark.extra_info |= {"ratio": ours_s / bare_s, "ours_s": ours_s}
    benchmark.pedantic(lambda: None, rounds=1)
    assert ours_s / bare_s <= MOST


def test_planted_errors_in_4000_clips(benchmark, fastest, speech):
    X, y, group = speech
    by_group = list(StratifiedGroupKFold(5).split(X, y, group))
    at_random = list(StratifiedKFold(5).split(X, y))

    def bare() -> None:
        for units in (None, group.tolist()):
            noisy = planting.plant(y.tolist(), 0.05, 0, units).labels
            for folds in (by_group, at_random):
                model = make_pipeline(StandardScaler(), LogisticRegression(C=planting.PENALTY, max_iter=2000))
                cross_val_predict(model, X, noisy, cv=folds, method="predict_proba")

    def ours() -> None:
        planting.search_planted(X, y.tolist(), group.tolist(), 0.05)

    ours_s, bare_s = fastest(ours, bare, rounds=2)
    benchmark.extra_info |= {"ratio": ours_s / bare_s, "ours_s": ours_s}
    benchmark.pedantic(lambda: None, rounds=1)
    assert ours_s / bare_s <= MOST


def test_10000_clips_without_a_map(benchmark, fastest):
    rng = np.random.default_rng(0)
    centres = 2 * rng.normal(size=(8, 384))
    X = (centres[rng.integers(8, size=10_000)] + rng.normal(size=(10_000, 384))).astype(np.float32)

    def bare() -> None:
        scaled = StandardScaler().fit_transform(X)
        scores = PCA(20, random_state=0).fit_transform(scaled)
        KMeans(8, n_init=10, random_state=0).fit(scores)
        for start in range(20):  # ten times in halves, for the stability
            KMeans(8, n_init=10, random_state=0).fit(scores[start % 2 :: 2])
        NearestNeighbors(n_neighbors=100).fit(scaled).kneighbors()
        IsolationForest(n_estimators=N_TREES, random_state=0).fit(scaled).score_samples(scaled)

    def ours() -> None:
        find_clusters(X, "8")
        outliers(X)

    before = psutil.Process().memory_info().rss
    ours_s, bare_s = fastest(ours, bare, rounds=2)
    mib = (psutil.Process().memory_info().rss - before) / 2**20
    benchmark.extra_info |= {"ratio": ours_s / bare_s, "ours_s": ours_s, "mib": mib}
    benchmark.pedantic(lambda: None, rounds=1)
    assert ours_s / bare_s <= 2


def test_suspects_among_100_000_clips(benchmark, fastest):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(50, 0.1), size=100_000)
    y = np.where(rng.random(100_000) < 0.9, p.argmax(axis=1), rng.integers(50, size=100_000))

    def sort_alone() -> None:
        """Sort the clips by their margin against every class, as a list of suspects needs at least."""
        for label in range(50):
            np.argsort(p[:, label] - p[np.arange(len(y)), y])

    ours_s, bare_s = fastest(lambda: label_quality(y, p), sort_alone, rounds=2)
    benchmark.extra_info |= {"ratio": ours_s / bare_s, "ours_s": ours_s}
    benchmark.pedantic(lambda: None, rounds=1)
    assert ours_s / bare_s <= MOST
