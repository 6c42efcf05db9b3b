"""Outliers of a collection: false discoveries on sound clips, and strange clips that are planted."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial import cKDTree
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler

from bench.errors import UsageError
from bench.exploration import outliers as module
from bench.exploration.outliers import MIN_CLIPS, neighbour_distance, outliers, table, tail_p_values

N_DRAWS = 60


@pytest.fixture(autouse=True)
def _few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Grow smaller forests."""
    monkeypatch.setattr(module, "N_TREES", 20)


def sound(kind: str, n_clips: int, dim: int, seed: int) -> np.ndarray:
    """Return vectors without outliers: normal, skewed, clustered, or heavy-tailed."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_clips, dim))
    if kind == "skewed":
        X = rng.exponential(size=(n_clips, dim))
    if kind == "clustered":
        X += 4 * rng.normal(size=(4, dim))[rng.integers(4, size=n_clips)]
    if kind == "laplace":
        X *= np.sqrt(rng.exponential(size=(n_clips, 1)))
    return X.astype(np.float32)


@pytest.mark.parametrize("kind", ["normal", "skewed", "clustered", "laplace"])
def test_sound_clips_are_outliers_in_no_more_draws_than_the_level_says(kind: str):
    n_false = 0
    for seed in range(N_DRAWS):
        distance = neighbour_distance(sound(kind, 150, 20, seed), 12)
        n_false += (stats.false_discovery_control(tail_p_values(distance)) <= 0.1).any()
    assert n_false <= stats.binom.ppf(0.99, N_DRAWS, 0.1)


def test_the_p_values_of_a_censored_exponential_sample_are_uniform():
    """A new score above the median of sound ones is under a p-value as often as that says."""
    rng, p = np.random.default_rng(0), []
    for _ in range(1000):
        scores = np.concatenate([np.zeros(50), rng.exponential(size=50)])
        p.append(tail_p_values(scores)[-1])
    for limit in (0.05, 0.2, 0.4):  # of all scores; a half is above the median
        assert abs(np.mean(np.array(p) * 2 <= limit) - limit) < 3.3 * np.sqrt(limit * (1 - limit) / 1000)


def test_scores_without_spread_above_the_median_have_their_ranks():
    p = tail_p_values(np.repeat([0.0, 1.0, 2.0], [95, 3, 2]))
    assert p.tolist() == [1.0] * 95 + [0.05] * 3 + [0.02] * 2


def test_planted_outliers_are_found_whether_they_are_alike_or_not():
    rng = np.random.default_rng(1)
    X = sound("normal", 210, 16, 1)
    alike = X.copy()
    X[200:] += 30 * stats.norm.ppf(rng.random((10, 16)))
    alike[200:] += 30
    for vectors in (X, alike):
        result = outliers(vectors)
        assert result.is_outlier[200:].all()
        assert result.is_outlier[:200].sum() == 0
        assert set(result.order[:10]) == set(range(200, 210))


def false_discovery_rates(p: np.ndarray) -> np.ndarray:
    """Return q-values by the definition of Benjamini and Hochberg."""
    return np.array([min(min(1, t * len(p) / (p <= t).sum()) for t in p[p >= value]) for value in p])


def test_scores_are_those_of_the_libraries_on_scaled_vectors():
    X = sound("clustered", 120, 6, 0) * np.arange(1, 7, dtype=np.float32)
    result = outliers(X, seed=3)
    scaled = StandardScaler().fit_transform(X)
    nearest = cKDTree(scaled).query(scaled, k=result.n_neighbours + 1)[0][:, -1]
    np.testing.assert_allclose(result.distance, nearest, rtol=1e-4)
    forest = IsolationForest(n_estimators=module.N_TREES, random_state=3).fit(scaled)
    np.testing.assert_allclose(result.isolation, -forest.score_samples(scaled), atol=0.01)
    q = false_discovery_rates(tail_p_values(result.distance))
    np.testing.assert_allclose(result.q, q)
    assert result.is_outlier.tolist() == (q <= result.level).tolist()


def test_the_list_holds_the_strangest_clips_first_and_every_outlier():
    X = sound("normal", 300, 8, 0)
    X[:25] += 1000 * stats.norm.ppf(np.random.default_rng(0).random((25, 8)))
    result, clips = outliers(X), [f"clip {i}, a" for i in range(300)]
    listed = table(result, clips)
    assert result.is_outlier.sum() == 25
    assert (len(listed), len(table(outliers(sound("normal", 300, 8, 0)), clips))) == (25, 20)
    assert listed["q"].is_monotonic_increasing


def test_the_same_seed_gives_the_same_bytes():
    X = sound("normal", 60, 5, 0)
    first, second = outliers(X, seed=1), outliers(X, seed=1)
    assert first.isolation.tobytes() == second.isolation.tobytes()
    assert first.q.tobytes() == second.q.tobytes()


@pytest.mark.parametrize("n_copies", [0, 25])
def test_a_clip_with_copies_is_no_outlier(n_copies: int):
    X = sound("normal", 100, 5, 0)
    X[:n_copies] = X[0]
    assert np.isfinite(outliers(X).q_isolation).all()
    assert not outliers(X).is_outlier[:n_copies].any()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((1, 4), np.float32), f"outliers: 1 clips; expected {MIN_CLIPS} or more"),
        (np.ones((50, 4), np.float32), "more than half of 50 clips have 7 others with equal vectors"),
    ],
)
def test_what_has_no_outliers_is_refused(X: np.ndarray, message: str):
    with pytest.raises(UsageError, match=message):
        outliers(X)


@pytest.mark.slow
def test_noises_among_voices_are_the_strangest_clips(bench, real: Path):
    voices = sorted((real / "LibriSpeech" / "test-other").rglob("*.flac"))
    noises = sorted((real / "noise").glob("*.wav"))[::10]
    pd.DataFrame({"path": [*voices, *noises]}).to_csv("clips.csv", index=False)
    words = ("--extractors", "mfcc", "--out", "clips.npz", "--plain")
    assert bench("embed", "clips.csv", *words).exit_code == 0
    with np.load("clips.npz") as arrays:
        result = outliers(arrays["mfcc mean+std"])
    is_noise = np.arange(len(voices) + 10) >= len(voices)
    assert is_noise[result.order[:20]].sum() >= 8
    assert not (result.is_outlier & ~is_noise).any()
