"""Intervals and tests beside plain loops, scipy, and simulations with a known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit

from bench.metrics import METRICS, Predicted
from bench.stats import (
    bounds,
    compare,
    critical_difference,
    difference,
    draws,
    holm,
    intervals,
    mcnemar,
    permutation,
)

ACCURACY = METRICS["accuracy"]


def predicted(right: np.ndarray) -> Predicted:
    return Predicted(np.full(right.size, "a"), np.where(right, "a", "b"), np.array(["a", "b"]))


@pytest.fixture
def clips():
    """Return predictions of three classes by 12 speakers, with probabilities, and the speakers."""
    rng = np.random.default_rng(0)
    classes, group = np.array(list("abc")), rng.integers(12, size=150).astype(str)
    y_true = rng.choice(classes, 150)
    scores = rng.dirichlet(np.ones(3), 150) + 0.5 * (y_true[:, None] == classes)
    scores /= scores.sum(axis=1, keepdims=True)
    return Predicted(y_true, classes[scores.argmax(axis=1)], classes, scores), group


@pytest.mark.parametrize("name", METRICS)
def test_a_draw_is_the_metric_of_whole_groups_drawn_with_replacement(name: str, clips):
    p, group = clips
    values = draws(METRICS[name], p, group, n_draws=5, seed=3)
    names = np.unique(group)
    samples = np.random.default_rng(3).integers(len(names), size=(5, len(names)))
    for value, numbers in zip(values, samples, strict=True):
        rows = np.concatenate([np.flatnonzero(group == names[number]) for number in numbers])
        assert value == pytest.approx(METRICS[name].score(p.take(rows)))


@pytest.mark.parametrize("name", ["accuracy", "roc_auc", "eer"])
def test_draws_do_not_depend_on_how_many_fit_into_memory(name: str, clips, monkeypatch):
    whole = draws(METRICS[name], *clips, n_draws=20)
    monkeypatch.setattr(intervals, "MAX_BLOCK", 7 * 450)
    np.testing.assert_allclose(draws(METRICS[name], *clips, n_draws=20), whole)


def test_an_interval_holds_its_score_and_narrows_with_the_groups(clips):
    p, group = clips
    low, high = bounds(ACCURACY, p, group)
    assert low < ACCURACY.score(p) < high
    four_times = Predicted(np.tile(p.y_true, 4), np.tile(p.y_pred, 4), p.classes)
    four_groups = np.char.add(np.tile(group, 4), np.repeat(list("wxyz"), 150))
    narrow = bounds(ACCURACY, four_times, four_groups)
    assert (narrow[1] - narrow[0]) == pytest.approx((high - low) / 2, rel=0.25)


def test_a_perfect_score_of_few_groups_is_not_certain():
    p = predicted(np.ones(60, dtype=bool))
    low, high = bounds(ACCURACY, p, np.repeat(list("uvwxyz"), 10))
    assert high == 1
    assert low == pytest.approx(stats.binomtest(6, 6).proportion_ci(0.95, "exact").low)
    assert type(low) is float, "msgspec encodes no other"
    low, high = bounds(ACCURACY, predicted(np.zeros(60, dtype=bool)), np.repeat(list("uvwxyz"), 10))
    assert (low, high) == (0, pytest.approx(stats.binomtest(0, 6).proportion_ci(0.95, "exact").high))


def test_one_group_or_too_many_trials_give_no_interval(clips, monkeypatch):
    p, _ = clips
    assert bounds(ACCURACY, p, np.full(150, "one")) is None
    monkeypatch.setattr(intervals, "MAX_WEIGHTS", 1000)
    assert bounds(METRICS["eer"], *clips) is None


def test_groups_cover_where_clips_do_not():
    rng = np.random.default_rng(0)
    truth = expit(1.5 + rng.standard_normal(1_000_000)).mean()
    speaker, clip = np.repeat(np.arange(20), 20).astype(str), np.arange(400).astype(str)
    hits = np.zeros(2)
    for _ in range(200):
        p = predicted((rng.random((20, 20)) < expit(1.5 + rng.standard_normal((20, 1)))).ravel())
        intervals_of_both = [bounds(ACCURACY, p, group) for group in (speaker, clip)]
        hits += [low <= truth <= high for low, high in intervals_of_both]
    by_speaker, by_clip = hits / 200
    assert 0.90 <= by_speaker <= 0.99, "docs/numbers.md has the figures of 2,000 draws"
    assert by_clip < 0.85


def test_a_comparison_is_paired_by_groups(clips):
    p, group = clips
    rng = np.random.default_rng(1)
    worse = Predicted(p.y_true, np.where(rng.random(150) < 0.4, "a", p.y_pred), p.classes)
    comparison = compare(ACCURACY, p, worse, group)
    loss = comparison.difference
    assert loss.value == pytest.approx(ACCURACY.score(p) - ACCURACY.score(worse))
    assert 0 < loss.low < loss.value < loss.high
    assert max(loss.p, comparison.permutation, comparison.mcnemar) < 0.01
    back = difference(ACCURACY, worse, p, group)
    assert (back.value, back.p) == (pytest.approx(-loss.value), pytest.approx(loss.p))
    assert difference(ACCURACY, p, p, group).p == 1


def test_rows_of_other_clips_are_not_compared(clips):
    p, group = clips
    other = Predicted(p.y_true[::-1], p.y_pred, p.classes)
    with pytest.raises(ValueError, match="labels of the two systems differ"):
        compare(ACCURACY, p, other, group)
    with pytest.raises(ValueError, match="1 group; expected 2"):
        compare(ACCURACY, p, p, np.full(150, "one"))


def test_the_bootstraps_p_is_near_a_t_test_of_the_groups_differences():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(40), 10).astype(str)
    a, b = (rng.random(400) < share for share in (0.8, 0.74))
    gap = (a.astype(float) - b).reshape(40, 10).mean(axis=1)
    expected = stats.ttest_1samp(gap, 0).pvalue
    assert difference(ACCURACY, predicted(a), predicted(b), group).p == pytest.approx(expected, rel=0.2)


def test_the_permutation_is_exact_beside_all_ways_of_exchanging():
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(8), 5).astype(str)
    a, b = rng.random(40) < 0.9, rng.random(40) < 0.6
    gap = (a.astype(float) - b).reshape(8, 5).sum(axis=1)
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1)
    exact = (np.abs(gap @ signs) >= abs(gap.sum()) - 1e-9).mean()
    p = permutation(ACCURACY, predicted(a), predicted(b), group, n_draws=4000)
    assert p == pytest.approx(exact, abs=0.02)


def test_mcnemar_is_the_binomial_test_of_what_one_row_alone_gets_right():
    a = predicted(np.array([True] * 9 + [False] * 2 + [True] * 5))
    b = predicted(np.array([False] * 9 + [True] * 2 + [True] * 5))
    assert mcnemar(a, b) == pytest.approx(stats.binomtest(9, 11).pvalue)
    assert mcnemar(a, a) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_its_definition(p: list[float]):
    order = sorted(range(len(p)), key=lambda i: p[i])
    expected, running = {}, 0.0
    for step, index in enumerate(order):
        running = max(running, p[index] * (len(p) - step))
        expected[index] = min(1.0, running)
    assert holm(p) == pytest.approx([expected[i] for i in range(len(p))])


def test_the_critical_difference_is_demsars():
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(20 / 84), abs=1e-3), "table 5"
    assert critical_difference(2, 10) == pytest.approx(1.960 * np.sqrt(6 / 60), abs=1e-3)
