"""Rows beside chance: levels, permutations of the labels of groups, and how often chance passes as more."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from bench.metrics import METRICS, Predicted
from bench.stats import above_chance, levels

ACCURACY = METRICS["accuracy"]


def predicted(y_true: np.ndarray, y_pred: np.ndarray) -> Predicted:
    return Predicted(
        y_true.astype(str), y_pred.astype(str), np.unique([*y_true.astype(str), *y_pred.astype(str)])
    )


def test_the_levels_of_chance_are_the_best_constant_and_labels_in_random_order():
    y = np.repeat(["a", "b", "c"], [50, 30, 20])
    chance = levels(ACCURACY, y)
    assert chance.constant == 0.5
    assert chance.stratified == pytest.approx(0.5**2 + 0.3**2 + 0.2**2, abs=0.01)
    balanced = levels(METRICS["balanced_accuracy"], y)
    assert (balanced.constant, balanced.stratified) == (pytest.approx(1 / 3), pytest.approx(1 / 3, abs=0.01))
    assert levels(METRICS["mcc"], y).stratified == pytest.approx(0, abs=0.02)
    assert levels(METRICS["roc_auc"], y) is None


def test_a_training_majority_that_is_the_tested_minority_is_not_taken_for_chance():
    """The majority of the other speakers is often not that of the tested one."""
    y = np.repeat(["f", "m"], 9)
    dummy = np.where(y == "f", "m", "f")
    assert ACCURACY.score(predicted(y, dummy)) == 0
    assert levels(ACCURACY, y).constant == 0.5
    group = np.arange(18).astype(str)
    noise = np.random.default_rng(3).permutation(y)
    p_dummy, p_noise = above_chance(ACCURACY, [[predicted(y, dummy)], [predicted(y, noise)]], group)
    assert p_dummy == 1
    assert p_noise > 0.05


def test_the_p_value_is_the_share_of_all_permutations_of_the_groups_labels():
    y = np.repeat(["a", "a", "a", "b", "b", "b", "b"], 3)
    group = np.repeat(np.arange(7), 3).astype(str)
    y_pred = np.where(np.arange(21) == 4, "b", y)
    blocks = y[::3]
    orders = set(permutations(blocks.tolist()))
    kappas = np.array([cohen_kappa_score(np.repeat(order, 3), y_pred) for order in orders])
    expected = np.mean(kappas >= cohen_kappa_score(y, y_pred) - 1e-9)
    [p] = above_chance(ACCURACY, [[predicted(y, y_pred)]], group)
    assert p == pytest.approx(expected, abs=0.015)


def test_too_few_groups_are_no_test():
    y = np.repeat(["a", "a", "b", "b", "b"], 20)
    group = np.repeat(np.arange(5), 20).astype(str)
    assert above_chance(ACCURACY, [[predicted(y, y)]], group) is None, "ten permutations"
    assert above_chance(ACCURACY, [[predicted(y[:0], y[:0])]], group[:0]) is None, (
        "no clip that all rows share"
    )


def test_a_metric_of_scores_is_tested_too_and_lower_may_be_better():
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b"], 60)
    group = np.repeat(np.arange(30), 4).astype(str)
    better = rng.random((120, 2)) + (y[:, None] == ["a", "b"])
    rows = [[Predicted(y, y, np.array(["a", "b"]), s)] for s in (better, rng.random((120, 2)))]
    for name in ("roc_auc", "eer"):
        good, bad = above_chance(METRICS[name], rows, group)
        assert good <= 0.01
        assert bad > 0.05


def test_the_most_frequent_class_for_every_clip_is_not_better_than_chance():
    """Neither where its groups are the larger ones."""
    y = np.repeat(["a", "b"], [80, 20])
    group = np.repeat(np.arange(20), [8] * 10 + [2] * 10).astype(str)
    constant, nearly = np.full(100, "a"), np.where(np.arange(100) == 50, "b", "a")
    assert min(above_chance(ACCURACY, [[predicted(y, p)] for p in (constant, nearly)], group)) > 0.05


def labels_of(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and groups: one label per group, all labels in every group, or mostly one."""
    group = np.repeat(np.arange(16), 12)
    if kind == "pure":
        return np.repeat(rng.permutation(np.arange(16) % 2), 12), group
    if kind == "crossed":
        return np.tile(np.repeat(np.arange(4), 3), 16), group
    mostly = np.repeat(rng.permutation(np.arange(16) % 4 == 0), 12)
    return np.where(rng.random(192) < 0.2, ~mostly, mostly).astype(int), group


def false_alarms(kind: str, n_tables: int) -> float:
    """Return the share of tables of three rows without information in which a row is above chance.

    Predictions depend on the group, the block and the clip, on no label, and prefer one class.
    """
    rng = np.random.default_rng(7)
    n_alarms = 0
    for _ in range(n_tables):
        y, group = labels_of(kind, rng)
        n_classes = y.max() + 1
        rows = []
        for _ in range(3):
            source = rng.integers(3, size=192)
            of_group = rng.integers(n_classes, size=16)[group]
            of_block = rng.integers(n_classes, size=(16, n_classes))[group, y]
            of_clip = np.where(rng.random(192) < 0.6, 0, rng.integers(n_classes, size=192))
            rows.append([predicted(y, np.choose(source, [of_group, of_block, of_clip]))])
        n_alarms += min(above_chance(ACCURACY, rows, group.astype(str))) < 0.05
    return n_alarms / n_tables


@pytest.mark.simulation
@pytest.mark.parametrize("kind", ["pure", "crossed", "mostly"])
def test_five_percent_of_tables_without_information_are_above_chance(kind: str):
    assert false_alarms(kind, 60) <= 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 60)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pure", "crossed", "mostly"])
def test_five_percent_of_many_tables_without_information_are_above_chance(kind: str):
    assert false_alarms(kind, 1000) == pytest.approx(0.05, abs=2.6 * np.sqrt(0.05 * 0.95 / 1000))
