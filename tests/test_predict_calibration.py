import msgspec
import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax, softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from bench.calibration.calibration import Calibration, calibrate
from bench.calibration.held_out import HeldOut
from bench.calibration.probabilities import Calibrator, cross_fitted, fit_calibrator, uncalibrated
from bench.calibration.reliability import Reliability
from bench.metrics import METRICS, Predicted


def predictions(logits: np.ndarray, label: np.ndarray, n_groups: int = 40) -> pd.DataFrame:
    """Return a table of predictions with decision values."""
    names = [f"class {number}" for number in range(logits.shape[1])]
    table = pd.DataFrame(logits, columns=[f"score_{name}" for name in names])
    group = [f"speaker {number % n_groups}" for number in range(len(label))]
    return table.assign(y_true=[names[number] for number in label], group=group)


def draw(n_clips: int, n_classes: int, slope: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return decision values, and labels that are right as often as the softmax of slope times them says."""
    rng = np.random.default_rng(seed)
    logits = 4 * rng.normal(size=(n_clips, n_classes))
    label = (softmax(slope * logits, axis=1).cumsum(axis=1) < rng.random((n_clips, 1))).sum(axis=1)
    return logits, label


def held_out(*args, **kwargs) -> HeldOut:
    held_out = HeldOut.of(predictions(*args, **kwargs))
    assert held_out is not None
    return held_out


def calibrator(scores: HeldOut) -> Calibrator:
    calibrator = fit_calibrator(scores)
    assert calibrator is not None
    return calibrator


def test_the_temperature_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6000, 4)), rng.integers(3, size=6000)
    X[np.arange(6000), y] += 1
    model = LogisticRegression(C=1e6).fit(X[:60], y[:60])  # overconfident
    theirs = CalibratedClassifierCV(FrozenEstimator(model), method="temperature", ensemble=False)
    theirs.fit(X[60:], y[60:])
    scores = held_out(model.decision_function(X[60:]), y[60:])
    # One clip more that is wrong changes a probability by about 1 / n.
    np.testing.assert_allclose(
        calibrator(scores).apply(scores.scores), theirs.predict_proba(X[60:]), atol=2e-3
    )


def test_the_isotonic_function_is_that_of_scikit_learn():
    logits, _ = draw(400, 2)
    p = np.where(logits[:, 1] > logits[:, 0], 0.7, 0.3)  # a step, which no temperature fits
    label = (np.random.default_rng(1).random(400) < p).astype(int)
    scores = held_out(logits, label)
    isotonic = calibrator(scores)
    assert isotonic.kind == "isotonic"
    difference = logits[:, 1] - logits[:, 0]
    theirs = IsotonicRegression(y_min=1 / 402, y_max=401 / 402, out_of_bounds="clip")
    theirs.fit(np.append(difference, -difference), np.append(label, 1 - label))
    np.testing.assert_allclose(isotonic.apply(logits)[:, 1], theirs.predict(difference), rtol=1e-12)


def test_calibration_finds_the_slope_that_labels_were_drawn_with():
    scores = held_out(*draw(5000, 4))
    assert calibrator(scores).slope == pytest.approx(0.5, rel=0.05)
    p = cross_fitted(scores)
    before = Reliability.of(uncalibrated(scores), scores.label)
    after = Reliability.of(p, scores.label)
    assert before.ece > 0.1
    assert after.ece < 2 * after.chance_ece


def test_probabilities_are_calibrated_by_their_logarithms():
    logits, label = draw(500, 3)
    logits = logits / 4  # no probability below the smallest one
    p = softmax(logits, axis=1)
    of_values, of_logs = calibrator(held_out(logits, label)), calibrator(held_out(p, label))
    assert not of_values.are_probabilities
    assert of_logs.are_probabilities
    np.testing.assert_allclose(of_logs.apply(p), of_values.apply(logits), rtol=1e-4)


def test_clips_that_are_all_right_leave_a_doubt():
    label = np.arange(50) % 3
    p = calibrator(held_out(np.eye(3)[label], label)).apply(np.eye(3))
    np.testing.assert_allclose(np.diag(p), 51 / 52, atol=1e-4)  # Platt's targets


@pytest.mark.parametrize("n_classes", [2, 5])
def test_calibration_changes_no_prediction(n_classes: int):
    scores = held_out(*draw(300, n_classes))
    p = calibrator(scores).apply(scores.scores)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    highest = p[np.arange(300), scores.scores.argmax(axis=1)]
    np.testing.assert_allclose(highest, p.max(axis=1), rtol=1e-12)


def test_a_class_that_a_fold_never_saw_has_the_probability_0_and_does_not_change_the_rest():
    logits, label = draw(300, 3)
    missing = logits.copy()
    missing[:60, 2] = np.nan
    scores = held_out(missing, label)
    p = cross_fitted(scores)
    assert not p[:60, 2].any()
    assert np.isfinite(p).all()
    possible = (label != 2) | (np.arange(300) >= 60)
    group = np.arange(300) % 40
    alone = HeldOut(scores.classes, missing[possible], label[possible], group[possible])
    assert calibrator(scores) == calibrator(alone)


def test_a_clip_is_calibrated_without_its_group():
    logits, label = draw(200, 3)
    first = cross_fitted(held_out(logits, label, n_groups=10))
    label = label.copy()
    label[::10] = (label[::10] + 1) % 3  # other labels of the first group
    second = cross_fitted(held_out(logits, label, n_groups=10))
    np.testing.assert_array_equal(second[::10], first[::10])
    assert (second != first).any()


def test_the_measures_are_those_of_the_leaderboard():
    logits, label = draw(300, 4)
    p = softmax(logits, axis=1)
    names = np.array(list("abcd"))
    predicted = Predicted(names[label], names[p.argmax(axis=1)], names, p)
    reliability = Reliability.of(p, label)
    for name in ("ece", "brier", "log_loss"):
        assert getattr(reliability, name) == METRICS[name].score(predicted)
    log_p = log_softmax(logits, axis=1)
    assert reliability.log_loss == pytest.approx(-log_p[np.arange(300), label].mean())
    n_clips = np.array([part.n_clips for part in reliability.bins])
    gaps = [abs(part.accuracy - part.confidence) for part in reliability.bins]
    assert n_clips.sum() == 300
    assert n_clips @ gaps / 300 == pytest.approx(reliability.ece)


def test_what_chance_leaves_of_the_error_is_that_of_labels_drawn_from_the_probabilities():
    errors = []
    for seed in range(60):
        logits, label = draw(200, 2, slope=1, seed=seed)
        errors.append(Reliability.of(softmax(logits, axis=1), label).ece)
    logits, label = draw(200, 2, slope=1)
    chance = Reliability.of(softmax(logits, axis=1), label).chance_ece
    assert chance == pytest.approx(np.mean(errors), abs=3 * np.std(errors) / 60**0.5)


def test_a_calibration_is_the_same_after_json():
    calibration = calibrate(predictions(*draw(100, 2)))
    assert msgspec.json.decode(msgspec.json.encode(calibration), type=Calibration) == calibration
    assert calibrate(predictions(*draw(100, 2))) == calibration
    assert calibration.n_groups == 40


def test_no_scores_one_class_or_one_group_give_no_calibration():
    table = predictions(*draw(100, 2))
    assert calibrate(table[["y_true", "group"]]) is None
    assert calibrate(table.assign(group="one")) is None
    assert calibrate(table[["group", "score_class 0"]].assign(y_true="class 0")) is None
