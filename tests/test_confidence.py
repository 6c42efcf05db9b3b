"""Intervals beside scipy, a package for surveys, and simulations with a known truth."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from interval_grid import (
    EARLIER,
    MARKS,
    STORED,
    Coverage,
    Setting,
    before,
    cells,
    grid,
    jobs,
    sample,
    simulate,
    tables,
)
from scipy import stats

from bench.metrics import METRICS, Metric, Predicted
from bench.report import words
from bench.stats import bound, bounded, bounds
from bench.stats.confidence import MIN_FAILING, korn_graubard, may_hide_failures
from bench.stats.groups import effective_groups, kish, variance
from bench.types import Score

ACCURACY = METRICS["accuracy"]
NUMBERS = Path(__file__).parents[1] / "docs" / "numbers.md"


def is_short(case: str, accuracy: float, metric: str) -> bool:
    """Return whether docs/numbers.md says that the intervals of a metric cover less than 93 %."""
    return case == "failing" and (accuracy == 0.955 or metric in {"roc_auc", "average_precision"})


SURVEY = ((20, 20), (18, 20), (29, 30), (10, 10), (22, 25), (40, 40), (15, 15), (12, 14), (20, 20), (33, 36))
"""Right clips and clips of ten groups."""


def predicted(right: np.ndarray, y_true: np.ndarray | None = None) -> Predicted:
    """Return predictions of two classes, right or wrong."""
    y_true = np.full(right.size, "a") if y_true is None else y_true
    other = np.where(y_true == "a", "b", "a")
    return Predicted(y_true, np.where(right, y_true, other), np.array(["a", "b"]))


def groups_of(counts: tuple[tuple[int, int], ...]) -> tuple[Predicted, np.ndarray]:
    """Return predictions with numbers of right clips and of clips of every group, and the groups."""
    right = [number < n_right for n_right, n_clips in counts for number in range(n_clips)]
    group = np.repeat(np.arange(len(counts)), [n_clips for _, n_clips in counts])
    return predicted(np.array(right)), group


def test_korn_and_graubards_interval_is_that_of_a_package_for_surveys():
    p, group = groups_of(SURVEY)
    share, sizes = ACCURACY.score(p), np.bincount(group)
    means = np.bincount(group, p.y_pred == "a") / sizes
    linear = ((sizes / sizes.sum()) ** 2 * (means - share) ** 2).sum() * 10 / 9
    assert np.sqrt(linear) == pytest.approx(0.017252, abs=5e-7)
    low, high = korn_graubard(share, linear, len(group), n_groups=10)
    # svy 0.35.0, Sample(data, Design(psu="group")).estimation.prop("right", ci_method="korn-graubard"):
    # est 0.952174, se 0.017252, lci 0.895986, uci 0.983115, df 9, n 230. R's survey has the same formula in
    # svyciprop(method="beta"), which is written out here with scipy alone.
    assert (low, high) == (pytest.approx(0.895986, abs=5e-7), pytest.approx(0.983115, abs=5e-7))
    n = share * (1 - share) / linear * (stats.t.ppf(0.025, 229) / stats.t.ppf(0.025, 9)) ** 2
    assert low == pytest.approx(stats.beta.ppf(0.025, n * share, n * (1 - share) + 1))
    assert high == pytest.approx(stats.beta.ppf(0.975, n * share + 1, n * (1 - share)))


def test_clips_that_are_groups_of_their_own_get_the_exact_interval():
    low, high = korn_graubard(0.9, 0.9 * 0.1 / 200, 200, n_groups=200)
    exact = stats.binomtest(180, 200).proportion_ci(0.95, "exact")
    assert (low, high) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_the_variance_is_that_of_deleting_a_group_at_a_time():
    p, group = groups_of(SURVEY)
    left_out = np.array([ACCURACY.score(p.take(group != number)) for number in range(10)])
    assert variance(ACCURACY, p, group) == pytest.approx(9 / 10 * ((left_out - left_out.mean()) ** 2).sum())


def test_the_variance_of_groups_of_one_class_is_stratified():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 10)
    y_true = np.where(group < 4, "b", "a")
    p = predicted(rng.random(120) < 0.8, y_true)
    metric = METRICS["mcc"]
    left_out = np.array([metric.score(p.take(group != number)) for number in range(12)])
    expected = sum(
        (len(part) - 1) / len(part) * ((part - part.mean()) ** 2).sum()
        for part in (left_out[:4], left_out[4:])
    )
    assert variance(metric, p, group) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["accuracy", "f1_macro"])
def test_blocks_of_many_groups_give_nearly_the_variance_of_all(name: str, monkeypatch):
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(900), 3)
    y_true = np.where(rng.random(2700) < 0.5, "a", "b")
    p = predicted(rng.random(2700) < np.repeat(rng.beta(4, 1, 900), 3), y_true)
    every = variance(METRICS[name], p, group)
    monkeypatch.setattr("bench.stats.groups.N_DRAWS", 450)
    assert variance(METRICS[name], p, group) == pytest.approx(every, rel=0.2)


def test_groups_say_less_if_one_is_large_or_a_class_has_two():
    assert kish(np.array([200, 20, 20, 20])) == pytest.approx(260**2 / 41_200)
    group = np.repeat(np.arange(20), 10)
    p = predicted(np.ones(200, dtype=bool), np.where(group < 2, "b", "a"))
    assert effective_groups(ACCURACY, p, group) == pytest.approx(20)
    for name in ("balanced_accuracy", "f1_macro", "roc_auc"):
        assert 2 < effective_groups(METRICS[name], p, group) < 3
        assert bound(METRICS["f1_macro"], p, group.astype(str)).unbounded == "few_groups"


def test_a_rare_class_without_an_error_is_not_certain():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 20)
    y_true = np.where(np.tile(np.arange(20) < 1, 30), "b", "a")
    right = (y_true == "b") | (rng.random(600) < 0.9)
    metric, p = METRICS["balanced_accuracy"], predicted(right, y_true)
    low, _ = bounds(metric, p, group.astype(str))
    rare = stats.binomtest(30, 30).proportion_ci(0.95, "exact").low
    assert metric.score(p) - low > (1 - rare) / 2, "half the distance of the rare class's own bound"
    earlier_low, _ = before(metric, p, group.astype(str))
    assert low < earlier_low - 0.02


def test_failures_that_may_be_unseen_leave_a_score_without_an_interval():
    p, group = groups_of(((9, 10), (10, 10)) * 3 + ((10, 10),) * 24)
    assert bound(ACCURACY, p, group.astype(str)).unbounded == "rare_failures"
    p, group = groups_of(((9, 10), (10, 10)) * 15)
    assert bounds(ACCURACY, p, group.astype(str)), f"{MIN_FAILING} groups with an error or more"
    p, group = groups_of(((10, 10),) * 30)
    low, _ = bounds(ACCURACY, p, group.astype(str))
    assert low == pytest.approx(0.025 ** (1 / 30)), "with no error, every group is one trial"
    assert may_hide_failures(0, 58, 58)
    assert not may_hide_failures(0, 59, 59), "0.95^59 < 5 %"
    assert not may_hide_failures(6, 6, 6), "errors of every group are not rare"


def test_error_rates_are_bounded_as_accuracies_are():
    setting = Setting("failing", "equal", 0.99, 20)
    p, group = sample(setting, np.random.default_rng(0))
    accuracy, eer = (bound(METRICS[name], p, group) for name in ("accuracy", "eer"))
    assert accuracy.unbounded == eer.unbounded
    if accuracy.low is not None:
        assert eer.high == pytest.approx(1 - accuracy.low, abs=0.03)


def test_metrics_without_limits_have_intervals_by_students_t():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 10).astype(str)
    p = predicted(rng.random(120) < 0.8)
    free = Metric.of("odds", lambda y_true, y_pred: 100 * float((y_true == y_pred).mean()), "")
    low, high = bounds(free, p, group)
    means = (p.y_pred == "a").reshape(12, 10).mean(axis=1) * 100
    expected = stats.t.interval(0.95, 11, means.mean(), stats.sem(means))
    assert (low, high) == pytest.approx(expected)


def test_the_reason_is_stored_and_old_lines_are_read():
    p, group = groups_of(((9, 10), (10, 10)))
    [score] = bounded(p, group.astype(str), [Score("accuracy", 0.95)])
    assert (score.low, score.high, score.unbounded) == (None, None, "few_groups")
    assert words.number(score) == "0.950 (too few groups to bound)"
    assert words.number(Score("ari", 0.5, "cluster")) == "0.500", "clusters never have an interval"
    old = {"metric": "accuracy", "value": 0.9, "level": "clip", "low": 0.8, "high": 0.95, "folds": [0.9]}
    assert msgspec.convert(old, Score) == Score("accuracy", 0.9, "clip", 0.8, 0.95, (0.9,))


def is_enough(coverage: Coverage, risk: float = 0.001) -> bool:
    """Return whether a coverage of 93 % gives so few right intervals with a probability of `risk` or more."""
    return coverage.n_right >= stats.binom.ppf(risk, coverage.n_bounded, 0.93)


@pytest.mark.parametrize(
    ("setting", "metric"),
    [
        (Setting("balanced", "equal", 0.955, 6), "accuracy"),
        (Setting("rare", "equal", 0.955, 20), "balanced_accuracy"),
        (Setting("failing", "equal", 0.99, 20), "accuracy"),
    ],
    ids=str,
)
def test_intervals_cover_where_those_of_earlier_releases_did_not(setting: Setting, metric: str):
    now = simulate(setting, [metric], n_draws=100)[metric]
    earlier = simulate(setting, [metric], n_draws=100, earlier=True)[metric]
    assert is_enough(now)
    assert now.n_bounded >= 50
    assert not is_enough(earlier, risk=0.025)


def test_two_groups_of_a_class_are_too_few_to_bound_a_mean_over_classes():
    setting = Setting("nested", "equal", 0.79, 20)
    coverage = simulate(setting, ["balanced_accuracy", "accuracy"], n_draws=20)
    assert coverage["balanced_accuracy"].n_bounded == 0
    assert coverage["accuracy"].n_bounded == 20


@pytest.mark.slow
@pytest.mark.parametrize("setting", grid(), ids=lambda setting: f"{setting.name}, {setting.n_groups}")
def test_intervals_cover_over_the_whole_grid(setting: Setting):
    for metrics, n_draws in jobs(setting).items():
        for metric, coverage in simulate(setting, metrics, n_draws).items():
            if not is_short(setting.case, setting.accuracy, metric):
                assert is_enough(coverage), (metric, coverage)


def test_the_published_grid_is_what_was_simulated():
    now, earlier = (json.loads(path.read_text(encoding="utf-8")) for path in (STORED, EARLIER))
    text = NUMBERS.read_text(encoding="utf-8")
    assert MARKS[0] + tables(now, earlier) + MARKS[1] in text
    for metric in now["failing, equal, 0.79, 20"]:
        for name, coverage in cells(now, metric).items():
            case, _, accuracy, _ = name.split(", ")
            if not is_short(case, float(accuracy), metric):
                assert is_enough(coverage), (name, metric, coverage)
