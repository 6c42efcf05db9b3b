"""Ranks beside csranks' published example, all flips of few groups, and simulations with a known truth."""

import numpy as np
import pytest
import ranks

from bench.metrics import METRICS, Predicted
from bench.stats import contributions, standings
from bench.stats.ranks import rank_sets
from bench.stats.stepdown import MAX_UNITS, scales, signs, step_down, units

ACCURACY = METRICS["accuracy"]

PISA = {
    "Japan": (526.973, 2.471, 1, 6),
    "Korea": (525.933, 3.121, 1, 7),
    "Estonia": (523.415, 1.744, 1, 6),
    "Netherlands": (519.231, 2.632, 1, 11),
    "Poland": (515.648, 2.602, 1, 12),
    "Switzerland": (515.315, 2.908, 1, 13),
    "Canada": (512.017, 2.357, 3, 17),
    "Denmark": (509.398, 1.735, 4, 18),
    "Slovenia": (508.898, 1.364, 4, 18),
    "Belgium": (508.070, 2.263, 4, 18),
    "Finland": (507.301, 1.968, 4, 18),
    "Sweden": (502.388, 2.654, 5, 24),
    "United Kingdom": (501.770, 2.564, 6, 24),
    "Norway": (500.964, 2.219, 7, 24),
    "Germany": (500.044, 2.647, 7, 25),
    "Ireland": (499.633, 2.199, 8, 25),
    "Czech Republic": (499.468, 2.461, 7, 25),
    "Austria": (498.942, 2.971, 7, 26),
    "Latvia": (496.126, 1.963, 12, 26),
    "France": (495.408, 2.320, 12, 26),
    "Iceland": (495.187, 1.953, 12, 26),
    "New Zealand": (494.490, 1.706, 12, 26),
    "Portugal": (492.487, 2.685, 12, 31),
    "Australia": (491.360, 1.940, 12, 30),
    "Italy": (486.590, 2.780, 15, 31),
    "Slovak Republic": (486.165, 2.556, 18, 31),
    "Luxembourg": (483.421, 1.098, 23, 31),
    "Spain": (481.393, 1.462, 24, 31),
    "Lithuania": (481.191, 1.953, 23, 31),
    "Hungary": (481.083, 2.320, 23, 31),
    "United States": (478.245, 3.235, 23, 32),
    "Israel": (463.035, 3.499, 31, 34),
    "Turkey": (453.508, 2.260, 32, 34),
    "Greece": (451.370, 3.091, 32, 34),
    "Chile": (417.407, 2.416, 35, 36),
    "Mexico": (408.801, 2.493, 35, 36),
    "Colombia": (390.932, 2.990, 37, 37),
}
"""Country -> score in mathematics, its standard error, and the ends of its simultaneous 95 % confidence set.

Data and figure of the package csranks (pisa.csv and examples/mathsimul.jpg of danielwilhelm/R-CS-ranks), the
example of Mogstad, Romano, Shaikh and Wilhelm (2024).
"""


def test_rank_sets_are_those_that_csranks_publishes():
    score, error, low, high = np.array(list(PISA.values())).T
    first, second = np.triu_indices(len(score), 1)
    normal = np.random.default_rng(0).standard_normal((4000, len(score))) * error
    differences = np.vstack([score[first] - score[second], normal[:, first] - normal[:, second]])
    p = np.ones((len(score), len(score)))
    draws = np.abs(differences) / np.hypot(error[first], error[second])
    p[first, second] = p[second, first] = step_down([draws[:1], draws[1:]])
    lows, highs = rank_sets(score, p)
    assert np.abs(lows - low).max() <= 1, "the published draws are 1,000 others"
    assert np.abs(highs - high).max() <= 1
    assert np.mean([lows == low, highs == high]) > 0.8


def test_step_down_is_its_definition():
    draws = (
        np.abs(np.random.default_rng(1).standard_normal((200, 12)))
        + np.eye(200)[0][:, None] * np.arange(12) / 3
    )
    left, expected = list(range(12)), {}
    while left:  # the largest first, each against the largest of those that are left
        largest = max(left, key=lambda i: draws[0, i])
        p = (draws[:, left].max(axis=1) >= draws[0, largest]).mean()
        expected[largest] = max(p, *expected.values(), 0)
        left.remove(largest)
    assert step_down([draws]).tolist() == [expected[i] for i in range(12)]


def test_contributions_of_the_accuracy_are_right_clips_of_groups_of_any_size():
    rng = np.random.default_rng(0)
    group = rng.choice(list("abcdefgh"), 200, p=np.arange(1, 9) / 36)
    right = rng.random(200) < 0.8
    p = Predicted(np.full(200, "x"), np.where(right, "x", "y"), np.array(["x", "y"]))
    expected = [right[group == name].sum() / 25 for name in "abcdefgh"]
    assert contributions(ACCURACY, p, group) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["f1_macro", "mcc", "roc_auc", "eer"])
def test_contributions_have_the_score_as_their_mean_and_the_spread_of_a_bootstrap(name: str):
    from bench.stats import draws

    rng = np.random.default_rng(0)
    y = np.tile(["a", "b", "c"], 200)
    scores = rng.dirichlet(np.ones(3), 600) + 0.6 * (y[:, None] == ["a", "b", "c"])
    p = Predicted(y, np.array(list("abc"))[scores.argmax(axis=1)], np.array(list("abc")), scores)
    group = np.repeat(np.arange(60), 10).astype(str)
    values = contributions(METRICS[name], p, group)
    assert values.mean() == pytest.approx(METRICS[name].score(p))
    spread = values.std(ddof=1) / np.sqrt(60)
    assert spread == pytest.approx(draws(METRICS[name], p, group).std(), rel=0.15)


def test_many_groups_are_merged_whole():
    group = np.repeat(np.arange(1000), 3).astype(str)
    codes, n_units = units(group)
    assert n_units == len(np.unique(codes)) == MAX_UNITS
    assert (np.ptp(codes.reshape(1000, 3), axis=1) == 0).all()


def test_all_flips_of_few_groups_are_listed_once():
    flips = signs(6)
    assert flips[0].tolist() == [1] * 6
    assert len(np.unique(np.vstack([flips, -flips]), axis=0)) == 2**6


def test_a_row_that_is_better_in_each_of_six_groups_is_better_and_of_five_groups_is_not():
    rng = np.random.default_rng(0)
    noise = 0.02 * rng.standard_normal((30, 6))
    merits = np.full(30, 0.5)
    merits[0] = 0.97
    rows = standings(merits[:, None] + noise)
    assert [(rows[0].low, rows[0].high), sum(row.tied for row in rows)] == [(1, 1), 1]
    assert all(row.low >= 2 for row in rows[1:])
    assert not any(row.low > 1 for row in standings(merits[:, None] + noise[:, :5]))


def test_ranks_are_ranges_over_rows_that_do_not_differ_significantly():
    rng = np.random.default_rng(0)
    shares = np.array([[0.95], [0.94], [0.7], [0.3]])
    merits = rng.binomial(10, shares, size=(4, 60)) / 10
    ranks = [(row.low, row.high, row.tied) for row in standings(merits)]
    assert ranks == [(1, 2, True), (1, 2, True), (3, 3, False), (4, 4, False)]
    reverse = standings(merits, higher_is_better=False)
    assert [(row.low, row.high) for row in reverse] == [(3, 4), (3, 4), (2, 2), (1, 1)]
    same = standings(np.vstack([merits[0], merits[0], merits[3]]))
    assert [(row.low, row.high) for row in same] == [(1, 2), (1, 2), (3, 3)], "rows without any difference"


def test_scales_do_not_change_by_flips():
    rng = np.random.default_rng(0)
    merits = rng.standard_normal((5, 8))
    assert scales(merits * signs(8)[77]) == pytest.approx(scales(merits))


@pytest.mark.parametrize("n_rows", [3, 13])
def test_ranks_are_seldom_wrong_and_tell_more_than_holm_does(n_rows: int):
    wrong, *_ = ranks.simulate(ranks.Case(ranks.equal(n_rows), 8), 200, ["step-down"])["step-down"]
    assert wrong <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 200), "by luck in one of 200 runs"
    shares = ranks.simulate(ranks.Case(ranks.unequal(n_rows), 8), 40)
    assert shares["step-down"][2] > shares["Holm"][2], "worse rows that are not bold"


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [6, 10, 20, 50, 250])
@pytest.mark.parametrize("n_rows", [3, 13, 30, 100])
def test_the_family_wise_error_is_at_most_its_level(n_rows: int, n_groups: int):
    n_draws = 1000 if n_rows < 30 else 300
    for kind in ("even", "sizes"):
        case = ranks.Case(ranks.equal(n_rows), n_groups, kind)
        wrong, *_ = ranks.simulate(case, n_draws, ["step-down"])["step-down"]
        assert wrong <= 0.05 + 3.3 * np.sqrt(0.05 * 0.95 / n_draws), "40 cases"
