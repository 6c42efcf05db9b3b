"""Scores of two folds are those of two models: which metrics pool them, which are means over the folds."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import cross_val_predict

from bench.metrics import METRICS, Predicted
from bench.stats import bounds


def table(fold: np.ndarray, y: np.ndarray, score: np.ndarray) -> pd.DataFrame:
    y_pred = np.where(score > 0, "b", "a")
    return pd.DataFrame({"fold": fold, "y_true": y, "y_pred": y_pred, "score_a": -score, "score_b": score})


@pytest.fixture
def shifted() -> pd.DataFrame:
    """Return clips of three folds of different size, whose models differ by a constant."""
    rng = np.random.default_rng(0)
    fold = np.repeat(["f1", "f2", "f3"], [40, 60, 100])
    y = rng.permutation(np.repeat(["a", "b"], 100))
    return table(fold, y, rng.normal(1.5 * (y == "b")) + 10.0 * (fold == "f2") - 5.0 * (fold == "f3"))


def test_the_roc_area_is_the_mean_over_the_folds_by_their_clips(shifted):
    parts = [part for _, part in shifted.groupby("fold")]
    areas = [roc_auc_score(part["y_true"] == "b", part["score_b"]) for part in parts]
    value = METRICS["roc_auc"].score(Predicted.of(shifted))
    assert value == pytest.approx(np.average(areas, weights=[40, 60, 100]))
    assert value > roc_auc_score(shifted["y_true"] == "b", shifted["score_b"]) + 0.1


def test_the_interval_of_the_roc_area_is_of_the_same_quantity(shifted):
    p = Predicted.of(shifted)
    metric = METRICS["roc_auc"]
    np.testing.assert_allclose(metric.draw_scores(p, np.ones((2, 200))), metric.score(p))
    low, high = bounds(metric, p, np.arange(200).astype(str))
    assert low < metric.score(p) < high
    assert high - low < 0.2


def test_the_roc_area_of_one_fold_is_that_of_scikit_learn_to_the_last_bit(shifted):
    part = shifted[shifted["fold"] == "f3"]
    areas = [roc_auc_score(part["y_true"] == name, part[f"score_{name}"]) for name in "ab"]
    assert METRICS["roc_auc"].score(Predicted.of(part)) == np.mean(areas)


def test_folds_of_one_class_each_are_pooled():
    rng = np.random.default_rng(1)
    y = np.repeat(["a", "b"], 50)
    one_each = table(np.repeat(["f1", "f2"], 50), y, rng.normal(1.0 * (y == "b")))
    expected = roc_auc_score(y == "b", one_each["score_b"])
    assert METRICS["roc_auc"].score(Predicted.of(one_each)) == pytest.approx(expected)
    np.testing.assert_allclose(
        METRICS["roc_auc"].draw_scores(Predicted.of(one_each), np.ones((1, 100))), expected
    )


def test_average_precision_is_pooled_as_the_mean_over_small_folds_is_above_chance():
    rng = np.random.default_rng(2)
    y, fold = np.where(rng.permutation(400) < 40, "b", "a"), np.arange(400) % 20
    random = table(fold.astype(str), y, rng.normal(size=400))
    value = METRICS["average_precision"].score(Predicted.of(random))
    areas = [average_precision_score(y == name, random[f"score_{name}"]) for name in "ab"]
    assert value == pytest.approx(np.mean(areas))
    in_folds = [
        METRICS["average_precision"].score(Predicted.of(part))
        for _, part in random.groupby("fold")
        if len(set(part["y_true"])) > 1
    ]
    assert abs(value - 0.5) < 0.03 < np.mean(in_folds) - 0.5


@pytest.mark.simulation
def test_permuted_labels_land_at_chance_where_pooled_roc_areas_do_not():
    rng = np.random.default_rng(3)
    X, values = rng.normal(size=(60, 5)), {"fold": [], "pooled": []}
    for _ in range(40):
        y = rng.permutation(np.repeat(["a", "b"], 30))
        fold = np.arange(60) % 20  # not stratified: a fold with more of a class trains on less of it
        cv = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(20)]
        score = cross_val_predict(LogisticRegression(C=0.01), X, y, cv=cv, method="decision_function")
        values["fold"].append(METRICS["roc_auc"].score(Predicted.of(table(fold.astype(str), y, score))))
        values["pooled"].append(roc_auc_score(y == "b", score))
    assert np.mean(values["pooled"]) < 0.4
    assert abs(np.mean(values["fold"]) - 0.5) < 2 * np.std(values["fold"]) / np.sqrt(40)
