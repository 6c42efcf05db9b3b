"""Agreement of clusters with labels and groups, held against scikit-learn and Bergsma's formula."""

import numpy as np
import pytest
from scipy.stats import chi2_contingency
from sklearn import metrics as sk

from bench.errors import UsageError
from bench.exploration.agreement import METRICS, associate, cramers_v, label_scores
from bench.metrics import Predicted

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 200)
CLUSTERS = np.where(RNG.random(200) < 0.7, LABELS, RNG.integers(-1, 5, 200))
GROUPS = RNG.integers(0, 20, 200)
NAMES = [f"label {label}" for label in LABELS]
SPEAKERS = [f"speaker {group}" for group in GROUPS]


def test_scores_are_those_of_scikit_learn_with_intervals_around_them():
    scores = {score.metric: score for score in label_scores(CLUSTERS, NAMES, SPEAKERS)}
    assert scores["ari"].value == sk.adjusted_rand_score(LABELS, CLUSTERS)
    assert scores["nmi"].value == sk.normalized_mutual_info_score(LABELS, CLUSTERS)
    assert scores["v_measure"].value == sk.v_measure_score(LABELS, CLUSTERS)
    for score in scores.values():
        low, high = score.bounds
        assert low < score.value < high
        assert score.level == "cluster"


@pytest.mark.parametrize("name", ["ari", "nmi", "v_measure", "purity"])
def test_a_draw_of_groups_has_the_score_of_its_clips(name: str):
    metric, weights = METRICS[name], RNG.integers(0, 3, (5, 20)).astype(float)
    y_true, y_pred = np.array(NAMES), CLUSTERS.astype(str)
    p = Predicted(y_true, y_pred, np.unique(np.concatenate([y_true, y_pred])))
    assert metric.group_scorer is not None
    values = metric.group_scorer(p, GROUPS, 20)(weights)
    for value, row in zip(values, weights, strict=True):
        clips = np.repeat(np.arange(200), row[GROUPS].astype(int))
        assert value == pytest.approx(metric.score(p.take(clips)), abs=1e-12)


def test_an_interval_is_wider_where_clips_of_a_group_are_alike():
    together = np.repeat(np.arange(20), 10)
    labels = [f"label {group % 4}" for group in together]
    clusters = np.where(together < 14, together % 4, 0)
    by_group, by_clip = (
        label_scores(clusters, labels, groups)[0] for groups in (together.astype(str), [""] * 200)
    )
    assert np.ptp(by_group.bounds) > 2 * np.ptp(by_clip.bounds)


def test_clips_without_a_label_are_left_out_and_no_label_at_all_is_refused():
    names = [*NAMES[:100], *[""] * 100]
    expected = sk.adjusted_rand_score(LABELS[:100], CLUSTERS[:100])
    assert label_scores(CLUSTERS, names, SPEAKERS)[0].value == pytest.approx(expected)
    assert associate(CLUSTERS, names).n_clips == 100
    for call in (
        lambda: label_scores(CLUSTERS, [""] * 200, SPEAKERS),
        lambda: associate(CLUSTERS, [""] * 200),
    ):
        with pytest.raises(UsageError, match="no clip has this label"):
            call()


def test_cramers_v_is_corrected_as_bergsma_does():
    counts = np.array([[12, 3, 1], [2, 9, 4], [1, 2, 10], [5, 5, 5]])
    n, phi2 = counts.sum(), chi2_contingency(counts, correction=False)[0] / counts.sum()
    rows, columns = (size - (size - 1) ** 2 / (n - 1) for size in counts.shape)
    expected = np.sqrt((phi2 - 6 / (n - 1)) / (min(rows, columns) - 1))
    assert cramers_v(counts) == pytest.approx(expected, rel=1e-12)
    assert cramers_v(np.full((3, 3), 4)) == 0.0
    assert cramers_v(np.diag([50, 60, 70])) == pytest.approx(1.0)


def test_independent_groups_have_no_association_however_many_they_are():
    values = [
        associate(RNG.integers(0, 5, 200), RNG.integers(0, 60, 200).astype(str)).cramers_v for _ in range(20)
    ]
    assert np.mean(values) < 0.1


def test_an_association_is_not_defined_of_groups_of_one_clip_or_of_one_group():
    assert associate(CLUSTERS, [f"clip {clip}" for clip in range(200)]).cramers_v is None
    assert associate(CLUSTERS, ["all"] * 200).cramers_v is None
    assert associate(np.zeros(200, int), SPEAKERS).cramers_v is None


def test_the_most_frequent_group_of_every_cluster_is_named():
    clusters = np.repeat([-1, 0, 1], [2, 10, 8])
    groups = ["a", "b", *["a"] * 9, "b", *["b"] * 8]
    association = associate(clusters, groups)
    assert association.clusters.tolist() == [-1, 0, 1]
    assert association.groups == ("a", "a", "b")
    np.testing.assert_allclose(association.shares, [0.5, 0.9, 1.0])
    np.testing.assert_allclose(association.expected, [0.5, 0.5, 0.5])
