from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t as students_t
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from bench import audio, catalog
from bench.calibration import familiarity as module
from bench.calibration.familiarity import Familiarity, limit_of
from bench.errors import UsageError
from bench.types import Clip


def speakers(n_speakers: int, n_clips: int, rng: np.random.Generator, dim: int = 8) -> tuple[np.ndarray, ...]:
    """Return vectors that differ between and within speakers, and the speakers."""
    places = rng.normal(size=(n_speakers, dim))
    X = np.repeat(places, n_clips, axis=0) + 0.5 * rng.normal(size=(n_speakers * n_clips, dim))
    return X, np.repeat(np.arange(n_speakers), n_clips).astype(str)


def familiarity(X: np.ndarray, groups: np.ndarray, seed: int = 0) -> Familiarity:
    familiarity = Familiarity.fit(X, groups, seed)
    assert familiarity is not None
    return familiarity


def test_the_distance_is_that_of_scikit_learn():
    X, groups = speakers(20, 3, np.random.default_rng(0))
    Z = 2 * np.random.default_rng(1).normal(size=(30, 8))
    scaler = StandardScaler().fit(X)
    neighbours = NearestNeighbors(n_neighbors=5).fit(scaler.transform(X))
    expected = neighbours.kneighbors(np.clip(scaler.transform(Z), -5, 5))[0].mean(axis=1)
    np.testing.assert_allclose(familiarity(X, groups).distances(Z), expected, rtol=1e-5)  # float32


@pytest.mark.parametrize(("n_speakers", "n_clips"), [(40, 1), (25, 4), (10, 4)])
def test_clips_of_unheard_speakers_exceed_the_limit_at_the_chosen_rate(n_speakers: int, n_clips: int):
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(60):
        X, groups = speakers(n_speakers + 30, n_clips, rng)
        heard = groups.astype(int) < n_speakers
        shares.append((familiarity(X[heard], groups[heard]).score(X[~heard]) > 1).mean())
    assert np.mean(shares) < 0.05 + 2 * np.std(shares) / 60**0.5
    assert np.mean(shares) > 0.005


def test_a_group_does_not_count_in_what_it_is_compared_with():
    rng = np.random.default_rng(0)
    X, groups = speakers(30, 2, rng)
    X[:, 0] = 0
    X[::6, 0] = rng.normal(size=10)  # some speakers alone have a dimension that is 0 for most
    heard = groups.astype(int) % 2 == 0
    score = familiarity(X[heard], groups[heard]).score(X[~heard])
    assert (score > 1).mean() <= 0.1


def test_with_few_groups_the_limit_is_a_prediction_limit_of_logarithms():
    logs = np.array([0.1, 0.2, 0.3, 0.15])
    expected = logs.mean() + students_t.ppf(0.95, 3) * logs.std(ddof=1) * (1 + 1 / 4) ** 0.5
    assert limit_of(np.exp(logs), np.arange(4)) == pytest.approx(np.exp(expected))
    assert limit_of(np.exp([0.0, 0.0, 0.0, 3.0, 0.0, 0.0]), np.arange(6)) >= np.exp(3)


def test_with_enough_groups_the_limit_is_a_conformal_quantile():
    distances = np.random.default_rng(0).permutation(np.arange(1.0, 100.0))
    assert limit_of(distances, np.arange(99)) == 95  # of 99 and one at infinity


def test_a_vector_is_scored_alone_as_among_others_and_stored_ones_alike():
    X, groups = speakers(20, 3, np.random.default_rng(0))
    first = familiarity(X, groups)
    score = first.score(X)
    assert [first.score(X[i : i + 1])[0] for i in range(10)] == score[:10].tolist()
    again = Familiarity.from_arrays(first.arrays())
    assert again.score(X).tolist() == score.tolist()
    assert again.n_groups == 20


def test_many_clips_are_compared_with_some_and_the_seed_says_which(monkeypatch):
    monkeypatch.setattr(module, "MOST_REFERENCES", 100)
    X, groups = speakers(150, 1, np.random.default_rng(0), dim=2)
    one, two = familiarity(X, groups), familiarity(X, groups)
    assert one.references.shape == (100, 2)
    assert one.references.dtype == np.float32
    np.testing.assert_array_equal(one.references, two.references)
    assert one.limit == two.limit
    assert (familiarity(X, groups, seed=1).references != one.references).any()


def test_a_constant_dimension_does_not_count():
    X, groups = speakers(20, 2, np.random.default_rng(0))
    wide = np.column_stack([X, np.full(len(X), 0.1)])
    others = np.column_stack([X, np.full(len(X), 7.0)])
    np.testing.assert_allclose(familiarity(wide, groups).score(others), familiarity(X, groups).score(X))


def test_copies_are_familiar_and_all_else_is_not():
    X = np.array([[1.0, 2.0], [2.0, 1.0]] * 3)
    groups = np.repeat(np.arange(3), 2).astype(str)
    fitted = familiarity(np.repeat(X, 5, axis=0), np.repeat(groups, 5))
    assert fitted.score(X).tolist() == [0.0] * 6
    assert np.isfinite(fitted.score(X + 0.1)).all()
    assert (fitted.score(X + 0.1) > 1).all()


def test_two_groups_have_no_limit():
    X, groups = speakers(2, 5, np.random.default_rng(0))
    assert Familiarity.fit(X, groups) is None


def test_embeddings_that_are_not_finite_are_refused():
    X, groups = speakers(20, 1, np.random.default_rng(0))
    fitted = familiarity(X, groups)
    X[3, 2] = np.nan
    for function in (fitted.score, lambda X: Familiarity.fit(X, groups)):
        with pytest.raises(UsageError, match="1 of 20 embeddings hold NaN or infinity; expected finite"):
            function(X)


@pytest.mark.slow
def test_noises_are_unfamiliar_and_unheard_speakers_are_not(real: Path):
    extractor = catalog.build(catalog.load(Path(__file__).parent.parent).extractors["mfcc"])

    def vectors(paths: list[Path]) -> np.ndarray:
        samples = [audio.read(Clip(path.stem, path), extractor.sample_rate) for path in paths]
        frames = [np.atleast_2d(array) for array in extractor.embed(samples)]
        return np.stack([np.append(array.mean(axis=0), array.std(axis=0)) for array in frames])

    voices = vectors(sorted((real / "LibriSpeech" / "train-clean-100").glob("*/*/*.flac")))
    noises = vectors(sorted((real / "noise").glob("*.wav")))
    rng = np.random.default_rng(0)
    alarms, detections = [], []
    for _ in range(50):
        order = rng.permutation(len(voices))  # one recording of each speaker
        heard, unheard = order[: len(order) // 2], order[len(order) // 2 :]
        fitted = familiarity(voices[heard], heard.astype(str))
        alarms.append((fitted.score(voices[unheard]) > 1).mean())
        detections.append((fitted.score(noises) > 1).mean())
    assert np.mean(alarms) <= 0.05
    assert np.mean(detections) >= 0.95
