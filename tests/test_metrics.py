"""Metrics beside scikit-learn, plain loops and worked examples."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import softmax

from bench.metrics import CLUSTERINGS, METRICS, Predicted, detection_cost, equal_error_rate, per_class


def kappa(y_true, y_pred) -> float:
    value = reference.cohen_kappa_score(y_true, y_pred)
    return 0.0 if np.isnan(value) else value


def class_average(function, kind: str):
    return lambda y_true, y_pred: function(y_true, y_pred, average=kind, zero_division=0)


LABELS = {
    "accuracy": reference.accuracy_score,
    "balanced_accuracy": reference.balanced_accuracy_score,
    "mcc": reference.matthews_corrcoef,
    "cohen_kappa": kappa,
    **{
        f"{name}_{kind}": class_average(getattr(reference, f"{name}_score"), kind)
        for name in ("precision", "recall", "f1")
        for kind in ("macro", "micro")
    },
}


def one_vs_rest(function, p: Predicted) -> float:
    values = [
        function(p.y_true == name, p.class_scores[:, column])
        for column, name in enumerate(p.classes)
        if 0 < (p.y_true == name).sum() < len(p.y_true)
    ]
    return float(np.mean(values)) if values else 0.5


def calibration_error(p: Predicted) -> float:
    """Return the error bin by bin, as a plain loop."""
    confidence, total = p.class_scores.max(axis=1), 0.0
    right = p.classes[p.class_scores.argmax(axis=1)] == p.y_true
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return total


def rates(target: np.ndarray, score: np.ndarray) -> list[tuple[float, float]]:
    """Return the shares of misses and false alarms at every threshold, as a plain loop."""
    thresholds = [np.inf, *sorted(set(score.tolist()), reverse=True)]
    return [((score[target] < t).mean(), (score[~target] >= t).mean()) for t in thresholds]


def trials(p: Predicted) -> tuple[np.ndarray, np.ndarray]:
    return (p.y_true[:, None] == p.classes).ravel(), p.class_scores.ravel()


def eer(p: Predicted) -> float:
    """Return the false alarms at which the ROC curve crosses the line of equal errors."""
    misses, alarms = np.array(rates(*trials(p))).T
    return brentq(lambda x: np.interp(x, alarms + 1e-12 * np.arange(len(alarms)), misses) - x, 0, 1)


SCORES = {
    "roc_auc": lambda p: one_vs_rest(reference.roc_auc_score, p),
    "average_precision": lambda p: one_vs_rest(reference.average_precision_score, p),
    "log_loss": lambda p: reference.log_loss(p.y_true, p.class_scores, labels=p.classes),
    "brier": lambda p: (
        reference.brier_score_loss(p.y_true, p.class_scores, labels=p.classes, scale_by_half=True)
        if len(p.classes) > 2
        else reference.brier_score_loss(p.y_true == p.classes[1], p.class_scores[:, 1])
    ),
    "ece": calibration_error,
    "eer": eer,
    "min_dcf": lambda p: min(0.05 * m + 0.95 * f for m, f in rates(*trials(p))) / 0.05,
    **{
        f"top{k}_accuracy": lambda p, k=k: (
            1.0
            if k >= len(p.classes)
            else reference.top_k_accuracy_score(p.y_true, p.class_scores, k=k, labels=p.classes)
        )
        for k in (3, 5)
    },
}
pairs = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=30)


def of_pairs(labels: list[tuple[str, str]]) -> Predicted:
    y_true, y_pred = (np.array(column) for column in zip(*labels, strict=True))
    return Predicted(y_true, y_pred, np.union1d(y_true, y_pred))


@st.composite
def scored(draw) -> Predicted:
    """Return predictions with probabilities, some of which are equal."""
    classes = np.array(list("abcdefg")[: draw(st.integers(2, 7))])
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    y_true = np.concatenate([classes, rng.choice(classes, draw(st.integers(0, 40)))])
    scores = softmax(rng.integers(-2, 3, size=(len(y_true), len(classes))) * draw(st.floats(0.1, 3)), axis=1)
    return Predicted(y_true, classes[scores.argmax(axis=1)], classes, scores)


def test_every_metric_has_a_reference():
    assert LABELS.keys() | SCORES.keys() == METRICS.keys()


@pytest.mark.no_cover
@pytest.mark.parametrize("name", LABELS)
@settings(max_examples=40)
@given(labels=pairs)
def test_a_metric_of_labels_is_what_scikit_learn_says(name: str, labels: list[tuple[str, str]]):
    p = of_pairs(labels)
    with warnings.catch_warnings():
        # The references warn of classes that were predicted and never occur, and of a single class.
        warnings.simplefilter("ignore")
        expected = LABELS[name](p.y_true, p.y_pred)
    value = METRICS[name].score(p)
    assert value == pytest.approx(expected)
    assert METRICS[name].low <= value <= METRICS[name].high


@pytest.mark.no_cover
@pytest.mark.parametrize("name", SCORES)
@settings(max_examples=40)
@given(p=scored())
def test_a_metric_of_scores_is_what_its_reference_says(name: str, p: Predicted):
    value = METRICS[name].score(p)
    assert value == pytest.approx(SCORES[name](p), abs=1e-6)
    assert METRICS[name].low <= value <= METRICS[name].high


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=40)
@given(p=scored(), seed=st.integers(0, 2**32))
def test_a_weighted_draw_is_the_metric_of_the_clips_repeated(name: str, p: Predicted, seed: int):
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 3, size=(3, len(p.y_true)))
    weights[:, : len(p.classes)] += 1  # every class occurs, as in `scored`
    draws = METRICS[name].draw_scores(p, weights.astype(float))
    for draw, counts in zip(draws, weights, strict=True):
        assert draw == pytest.approx(METRICS[name].score(p.take(np.repeat(np.arange(len(counts)), counts))))


@pytest.mark.no_cover
@pytest.mark.parametrize("name", LABELS)
@settings(max_examples=40)
@given(labels=pairs)
def test_a_draw_of_every_clip_once_is_the_metric(name: str, labels: list[tuple[str, str]]):
    p = of_pairs(labels)
    draw = METRICS[name].draw_scores(p, np.ones((1, len(p.y_true))))[0]
    assert draw == pytest.approx(METRICS[name].score(p))


@pytest.mark.parametrize("name", METRICS)
def test_one_class_or_one_clip_is_no_accident(name: str):
    one = Predicted(np.array(["a"]), np.array(["a"]), np.array(["a", "b"]), np.array([[1.0, 0.0]]))
    same = one.take(np.zeros(4, dtype=int))
    for p in (one, same):
        value = METRICS[name].score(p)
        assert np.isfinite(value)
        assert METRICS[name].draw_scores(p, np.ones((2, len(p.y_true)))) == pytest.approx([value] * 2)


def test_the_scores_of_a_head_decide_which_metrics_are_possible():
    table = pd.DataFrame({"y_true": list("ab"), "y_pred": list("ab")})
    assert Predicted.of(table).inputs == {"labels"}
    values = Predicted.of(table.assign(score_a=[1.0, -1.0], score_b=[-1.0, np.nan]))
    assert values.inputs == {"labels", "scores"}
    assert values.class_scores.tolist() == [[1.0, -1.0], [-1.0, -2.0]], (
        "a class without training clips has the lowest score"
    )
    probabilities = Predicted.of(table.assign(score_a=[1.0, 1.0], score_b=[0.0, np.nan]))
    assert "probabilities" in probabilities.inputs
    assert probabilities.class_scores.tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_the_equal_error_rate_of_a_worked_example():
    # Targets have the scores 0.9, 0.8 and 0.4, other trials 0.6, 0.3 and 0.1.
    target = np.array([True, True, True, False, False, False])
    score = np.array([0.9, 0.8, 0.4, 0.6, 0.3, 0.1])
    assert equal_error_rate(target, score) == pytest.approx(1 / 3)
    assert equal_error_rate(target, -score) == pytest.approx(2 / 3)
    assert equal_error_rate(target, target.astype(float)) == 0


def test_the_detection_cost_of_a_worked_example():
    # Above 0.7 there are two of three targets and no other trial: (0.05 * 1/3) / 0.05.
    target = np.array([True, True, True, False, False, False])
    score = np.array([0.9, 0.8, 0.4, 0.6, 0.3, 0.1])
    assert detection_cost(target, score) == pytest.approx(1 / 3)
    assert detection_cost(target, np.zeros(6)) == 1, "a constant answer costs 1"


@settings(max_examples=40)
@given(labels=pairs)
def test_scores_per_class_are_scikit_learns(labels: list[tuple[str, str]]):
    p = of_pairs(labels)
    report = reference.classification_report(p.y_true, p.y_pred, output_dict=True, zero_division=0)
    table = per_class(p)
    assert table.index.tolist() == sorted(set(p.y_true.tolist()))
    for name, row in table.iterrows():
        expected = [report[name][column] for column in ("precision", "recall", "f1-score", "support")]
        assert row.tolist() == pytest.approx(expected)


def test_clusters_that_are_the_classes_are_perfect_and_one_cluster_says_nothing():
    y, cluster = np.array(list("aabbcc")), np.array([2, 2, 0, 0, 1, 1])
    assert {name: score(y, cluster) for name, score in CLUSTERINGS.items()} == dict.fromkeys(CLUSTERINGS, 1.0)
    one_cluster = {name: score(y, np.zeros(6)) for name, score in CLUSTERINGS.items()}
    assert one_cluster == {"ari": 0.0, "nmi": 0.0, "v_measure": 0.0, "purity": pytest.approx(1 / 3)}
