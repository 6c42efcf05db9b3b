"""Clusters: equal to scikit-learn, right on planted clusters, none where there are none."""

import numpy as np
import pytest
from clusters import STRUCTURELESS, planted, power_law
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture

from bench.errors import UsageError
from bench.exploration.cluster_figures import figures
from bench.exploration.clusters import METHODS, Clusters, find_clusters
from bench.exploration.criteria import (
    Criteria,
    Curve,
    extended_number,
    is_stable,
    number_range,
    stable_number,
    verdict,
)
from bench.exploration.partitions import adjusted_rand, bics, partitions, silhouettes, structureless
from bench.exploration.space import principal_scores
from bench.exploration.stability import recurrence

RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal((60, 12)).astype(np.float32)
THREE = np.repeat(20 * RNG.standard_normal((3, 12)), [30, 20, 10], axis=0).astype(np.float32) + NOISE
TRUTH = np.repeat([0, 1, 2], [30, 20, 10])


@pytest.fixture(scope="module")
def three() -> Clusters:
    """Return what auto finds of three clusters."""
    return find_clusters(THREE, "auto")


def test_silhouettes_are_those_of_scikit_learn():
    cuts = partitions(NOISE.astype(float), range(1, 13))
    expected = [silhouette_score(NOISE.astype(float), cut) for cut in cuts[1:]]
    np.testing.assert_allclose(silhouettes(NOISE.astype(float), cuts), [0.0, *expected], rtol=1e-12)
    equal = np.zeros((4, 2))
    assert silhouettes(equal, [np.array([0, 0, 1, 1])])[0] == silhouette_score(equal, [0, 0, 1, 1]) == 0.0


@pytest.mark.parametrize("sizes", [(3, 5), (1, 4), (1, 1), (60, 60)])
def test_the_adjusted_rand_index_is_that_of_scikit_learn(sizes: tuple[int, int]):
    first, second = (np.resize(RNG.integers(size, size=60), 60) for size in sizes)
    assert adjusted_rand(first, second) == pytest.approx(adjusted_rand_score(first, second), abs=1e-12)


@pytest.mark.parametrize("covariance", ["diag", "full"])
def test_the_bic_is_that_of_scikit_learn_from_the_same_start(covariance: str):
    scores = principal_scores(THREE)
    [cut] = partitions(scores, [3])
    start = np.stack([scores[cut == cluster].mean(axis=0) for cluster in range(3)])
    model = GaussianMixture(3, covariance_type=covariance, means_init=start, reg_covar=1e-3, tol=1e-3)
    assert bics(scores, [cut], covariance)[0] == pytest.approx(model.fit(scores).bic(scores), rel=1e-6)


def test_the_bic_of_full_gaussians_is_left_out_where_clips_are_too_few():
    scores = principal_scores(NOISE)
    values = bics(scores, partitions(scores, [1, 60 // scores.shape[1], 25]), "full")
    assert list(np.isnan(values)) == [False, False, True]


def test_components_weigh_every_dimension_alike_and_have_a_mean_variance_of_1():
    scaled = THREE * np.float32([1000, *[1] * 11]) + np.float32(5)
    np.testing.assert_allclose(np.abs(principal_scores(scaled)), np.abs(principal_scores(THREE)), rtol=1e-3)
    scores = principal_scores(THREE)
    assert scores.var(axis=0).mean() == pytest.approx(1.0)
    assert np.cov(scores.T) == pytest.approx(np.diag(scores.var(axis=0, ddof=1)), abs=1e-9)


def test_structureless_data_keep_the_distances_from_the_mean_and_about_the_covariance():
    scores = principal_scores(np.random.default_rng(1).standard_t(3, (2000, 6)).astype(np.float32))
    draw = structureless(scores, np.random.default_rng(0))
    sd = scores.std(axis=0)
    radii = [np.sort(np.linalg.norm(values / sd, axis=1)) for values in (scores, draw)]
    np.testing.assert_allclose(*radii)
    np.testing.assert_allclose(draw.std(axis=0), sd, rtol=0.15)


def test_planted_clusters_are_found_with_all_that_describes_them(three: Clusters):
    assert three.n_clusters == three.low == three.high == 3
    assert adjusted_rand_score(TRUTH, three.labels) == 1.0
    assert np.bincount(three.labels).tolist() == [30, 20, 10]
    assert three.silhouette == pytest.approx(silhouette_score(principal_scores(THREE), TRUTH))
    assert three.stability.tolist() == [1.0, 1.0, 1.0]
    assert three.probabilities.tolist() == [1.0] * 60
    scores = principal_scores(THREE)
    for cluster in range(3):
        clips = np.flatnonzero(three.labels == cluster)
        distances = np.linalg.norm(scores[clips] - scores[clips].mean(axis=0), axis=1)
        np.testing.assert_allclose(three.distances[clips], distances)
        assert three.typical[cluster].tolist() == clips[np.argsort(distances)[:3]].tolist()
        mutual = np.linalg.norm(scores[clips][:, None] - scores[clips], axis=2).mean(axis=1)
        assert three.medoids[cluster] == clips[mutual.argmin()]


def test_structureless_clips_have_no_clusters():
    clusters = find_clusters(NOISE)
    assert (clusters.n_clusters, clusters.low, clusters.high) == (None, None, None)
    assert set(clusters.labels) == {0}
    assert clusters.silhouette is None
    assert clusters.criteria is not None
    assert clusters.criteria.p is not None
    assert clusters.criteria.p > 0.01


@pytest.mark.parametrize("method", ["bic", "hdbscan", "3"])
def test_every_method_finds_planted_clusters(method: str):
    clusters = find_clusters(THREE, method)
    assert clusters.n_clusters == 3
    assert adjusted_rand_score(TRUTH, clusters.labels) == 1.0


def test_the_same_seed_gives_the_same_bytes(three: Clusters):
    again = find_clusters(THREE, "auto")
    for name in ("labels", "probabilities", "distances", "medoids", "typical", "stability"):
        assert getattr(again, name).tobytes() == getattr(three, name).tobytes()
    assert again.criteria is not None
    assert three.criteria is not None
    assert again.criteria.halves.tobytes() == three.criteria.halves.tobytes()


def test_noise_of_hdbscan_has_no_distance_and_is_in_no_cluster():
    far = np.concatenate([THREE, 500 * np.eye(12, dtype=np.float32)[:2]])
    clusters = find_clusters(far, "hdbscan")
    assert clusters.labels[-2:].tolist() == [-1, -1]
    assert np.isnan(clusters.distances[-2:]).all()
    assert clusters.probabilities[-2:].tolist() == [0.0, 0.0]
    assert not set(clusters.typical.ravel()) & {60, 61}


def test_a_cluster_that_halves_do_not_share_is_unstable():
    scores = np.arange(40.0)[:, None]
    labels = np.repeat([0, 1], 20)
    stable, _ = recurrence(scores, labels, lambda some: (some[:, 0] >= 20).astype(np.int64))
    random, shares = recurrence(scores, labels, lambda some: np.arange(len(some)) % 2)
    nothing, _ = recurrence(scores, labels, lambda some: np.full(len(some), -1))
    assert stable.tolist() == [1.0, 1.0]
    assert (random < 0.6).all()
    assert 0 < shares.mean() < 1
    assert nothing.tolist() == [0.0, 0.0]


def curve(values: list[float], best: int) -> Curve:
    """Return a curve over 1, 2, 3 beside structureless data of 0."""
    return Curve(values=np.array(values), null_mean=np.zeros(3), null_sd=np.ones(3), best=best)


def criteria(p: float = 0.001, rand: float = 0.9, gain: float = 10.0, split: float = 0.5) -> Criteria:
    """Return criteria whose silhouette chooses 2 clusters, and is hardly lower for 3."""
    return Criteria(
        numbers=np.array([1, 2, 3]),
        curves={
            "silhouette": curve([0.0, 0.5, 0.49], 2),
            "stability": curve([1.0, rand, rand], 2),
            "bic": curve([9.0, 1.0, 2.0], 2),
        },
        p=p,
        bic_gain=gain,
        null_bic_gain=5.0,
        number=2 if rand > 0.8 else None,
        halves=np.array([[0.0, 0.5, 0.45], [0.0, 0.5, 0.55]]),
        splits={3: split},
    )


def test_a_number_holds_only_if_all_criteria_agree():
    assert verdict(criteria()) == 2
    assert verdict(criteria(p=0.02)) is None
    assert verdict(criteria(rand=0.7)) is None
    assert verdict(criteria(gain=5.0)) is None


def test_numbers_on_which_halves_agree_excellently_come_before_those_on_which_they_agree_well():
    assert is_stable(np.array([1.0, 0.95, 0.85, 0.7])).tolist() == [False, True, False, False]
    assert is_stable(np.array([1.0, 0.5, 0.85, 0.7])).tolist() == [False, False, True, False]
    assert not is_stable(np.array([1.0, 0.5, 0.79, 0.7])).any()


def test_the_number_has_the_largest_excess_among_those_on_which_halves_agree():
    rand = np.array([1.0, 0.95, 0.95, 0.7])
    assert stable_number(np.array([0.0, 0.1, 0.2, 0.9]), rand) == 3
    assert stable_number(np.array([0.0, -0.1, -0.2, 0.9]), rand) is None
    assert stable_number(np.array([0.0, 0.1, 0.2, 0.9]), 0.5 * rand) is None


def test_a_significant_split_that_costs_no_silhouette_raises_the_number():
    assert extended_number(criteria(split=0.04)) == 3
    assert extended_number(criteria(split=0.06)) == 2
    assert number_range(criteria(split=0.06)) == (2, 3)


@pytest.mark.parametrize(
    ("vectors", "method", "message"),
    [
        (THREE[:1], "3", "1 clip; expected 2 or more"),
        (np.ones((20, 4), np.float32), "auto", "all 20 clips have the same embedding"),
        (THREE[:9], "auto", "9 clips; expected 10 or more; name a number"),
        (THREE[:4], "hdbscan", "4 clips; expected 5 or more"),
        (np.repeat(THREE[:2], 9, axis=0), "3", "there are 2 different clips; name a smaller"),
        (THREE, "1", "expected auto, bic, hdbscan or a number of clusters from 2"),
        (THREE, "kmeans", "clusters 'kmeans': expected auto"),
    ],
)
def test_what_cannot_be_clustered_is_one_line(vectors: np.ndarray, method: str, message: str):
    with pytest.raises(UsageError, match=message) as caught:
        find_clusters(vectors, method)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS)
def test_many_equal_clips_are_no_failure(method: str):
    vectors = np.repeat(THREE[[0, 1, 35, 55]], 6, axis=0)
    assert len(find_clusters(vectors, method).labels) == 24


def test_every_criterion_is_a_figure_and_undefined_values_are_left_out(three: Clusters):
    assert three.criteria is not None
    assert list(figures(three.criteria)) == ["silhouette", "stability", "bic"]
    lines = figures(three.criteria)["silhouette"].lines
    assert lines["these clips"][3].value == three.criteria.curves["silhouette"].values[2]
    of_bic = find_clusters(NOISE, "bic").criteria
    assert of_bic is not None
    [figure] = figures(of_bic).values()
    assert figure.interval == ""
    assert len(figure.lines["full Gaussians"]) < len(figure.lines["diagonal Gaussians"]) == 12


@pytest.mark.slow
@pytest.mark.simulation
@pytest.mark.parametrize("n_clusters", [3, 8, 20])
def test_the_number_of_planted_clusters_is_exact_in_most_draws(n_clusters: int):
    draws = (planted(power_law(), n_clusters, 2.0, np.random.default_rng([7, draw])) for draw in range(5))
    assert sum(find_clusters(vectors).n_clusters == n_clusters for vectors in draws) >= 4


@pytest.mark.slow
@pytest.mark.simulation
@pytest.mark.parametrize("name", ["Gaussian", "elliptical t, 5 df", "uniform"])
def test_structureless_draws_have_no_clusters(name: str):
    values = [STRUCTURELESS[name](np.random.default_rng([8, draw]), (200, 384)) for draw in range(5)]
    clusters = [find_clusters((draw @ power_law().T).astype(np.float32)) for draw in values]
    assert [one.n_clusters for one in clusters] == [None] * 5
