"""Every head of the registry through the same checks, and beside the libraries that it stands on."""

import dataclasses
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, log_loss, normalized_mutual_info_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

from bench import catalog
from bench.errors import PluginError
from bench.heads import svm
from bench.learn.folds import evaluate
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples
from bench.learn.scoring import clustering
from bench.types import BASELINE, Spec, Split

REGISTRY = catalog.load()
HEADS = REGISTRY.heads
N_CLIPS, N_CLASSES, DIM = 36, 3, 40

SIZES = [name for name in HEADS if name.startswith("bcresnet-")][1:]
"""Heads that differ from another by a number alone."""

EVERY = [pytest.param(name, marks=pytest.mark.slow if name in SIZES else ()) for name in HEADS]

MANY_CLASSES = (
    *("svm", "logreg", "knn", "gbdt", "rf", "lda", "gmm", "kmeans", "mlp", "cnn1d", "layer-weights"),
    *("attention-pool", "bcresnet-1", "mhatt-kws"),
)


def spec(name: str, **params: Any) -> Spec:
    """Return a head's spec, of few epochs, which is skipped where what it needs is not installed."""
    declared = HEADS[name]
    if catalog.missing(declared):
        pytest.skip(f"needs {catalog.missing(declared)}")
    if declared.factory.endswith(":Network"):
        params = {"epochs": 2, **params}
    return dataclasses.replace(declared, params={**declared.params, **params})


def features(unit: str, n_clips: int = N_CLIPS, shift: float = 2.0) -> Any:
    """Return what a head of some unit sees of clips of the classes a, b, c in turns."""
    rng = np.random.default_rng(0)
    mean = (np.arange(n_clips) % N_CLASSES * shift)[:, np.newaxis]
    if unit == "sequence":
        lengths = rng.integers(3, 40, n_clips)
        return [
            (rng.normal(size=(n, DIM)) + m).astype(np.float32) for n, m in zip(lengths, mean, strict=True)
        ]
    X = (rng.normal(size=(n_clips, DIM)) + mean).astype(np.float32)
    return np.stack([X, X[:, ::-1]], axis=1) if unit == "layers" else X


def labels(n_clips: int = N_CLIPS) -> np.ndarray:
    return np.array(["ä b", "b", "c"])[np.arange(n_clips) % N_CLASSES]


def problem(unit: str, n_clips: int = N_CLIPS) -> tuple[Any, np.ndarray, Split]:
    """Return features, labels and a split of three folds by groups of three clips."""
    X = features(unit, n_clips)
    X = [row[np.newaxis] for row in X] if unit == "frame" else X
    fold, group = np.arange(n_clips) // 3 % 3, np.arange(n_clips) // 3
    return X, labels(n_clips), Split("cv:3", fold.astype(str), {"speaker": group.astype(str)})


def evaluated(head: Spec, X: Any, y: np.ndarray, split: Split) -> Any:
    recipe = PipelineSpec(lambda: catalog.build(head, 0), head.unit, scale=head.scale, limit=head.limit)
    return evaluate(Examples(X, y, split), recipe, itertools.count().__next__)


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    return X[::2].astype(np.float32), np.array(["red", "rosé", "white"])[y[::2]], X[1::2].astype(np.float32)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", EVERY)
def test_a_head_gives_the_same_again_from_the_same_seed(name: str):
    head, X, y = catalog.build(spec(name), 0), features(HEADS[name].unit), labels()
    first = head.fit(X, y).predict(X)
    assert set(first.tolist()) <= set(y.tolist())
    again = clone(head)
    np.testing.assert_array_equal(again.fit(X, y).predict(X), first)
    for method in ("predict_proba", "decision_function"):
        if hasattr(head, method):
            np.testing.assert_array_equal(getattr(head, method)(X), getattr(again, method)(X))


@pytest.mark.no_cover
@pytest.mark.parametrize("name", EVERY)
def test_a_head_takes_two_classes(name: str):
    X, y = features(HEADS[name].unit), labels()
    two = np.flatnonzero(y != "c")
    X = X[two] if isinstance(X, np.ndarray) else [X[row] for row in two]
    assert set(catalog.build(spec(name), 0).fit(X, y[two]).predict(X)) <= {"ä b", "b"}


@pytest.mark.parametrize("name", EVERY)
def test_one_class_alone_is_refused(name: str):
    X, y, split = problem(HEADS[name].unit)
    with pytest.raises(PluginError, match="all clips are of the class 'c'"):
        evaluated(spec(name), X, np.full_like(y, "c"), split)


@pytest.mark.parametrize("name", EVERY)
def test_a_head_taught_three_clips_predicts_or_says_what_is_wrong(name: str):
    X, y = features(HEADS[name].unit, 3), labels(3)
    try:
        assert set(catalog.build(spec(name), 0).fit(X, y).predict(X)) <= set(y)
    except ValueError as error:
        assert "n_samples" in str(error) or "number of samples" in str(error)  # noqa: PT017


@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", EVERY)
def test_constant_features_give_finite_scores(name: str):
    X = features(HEADS[name].unit)
    X = np.zeros_like(X) if isinstance(X, np.ndarray) else [np.zeros_like(each) for each in X]
    head = catalog.build(spec(name), 0).fit(X, labels())
    assert len(head.predict(X)) == N_CLIPS
    for method in ("predict_proba", "decision_function"):
        if hasattr(head, method):
            assert np.isfinite(getattr(head, method)(X)).all()


@pytest.mark.parametrize("name", EVERY)
def test_features_that_are_not_finite_are_refused(name: str):
    X, y, split = problem(HEADS[name].unit)
    X[4][..., 0] = np.nan
    with pytest.raises(PluginError, match="NaN or infinite"):
        evaluated(spec(name), X, y, split)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", EVERY)
def test_labels_of_tested_clips_change_nothing_that_is_fitted(name: str):
    X, y, split = problem(HEADS[name].unit)
    other = y.copy()
    tested = np.flatnonzero(split.fold == "0")
    other[tested] = np.roll(y[tested], 1)
    before, after = (evaluated(spec(name), X, each, split).predictions for each in (y, other))
    columns = [name for name in before if name != "y_true"]
    first, second = (table[table["fold"] == "0"][columns] for table in (before, after))
    assert len(first) == len(tested)
    assert first.equals(second)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", [each for each in EVERY if each.values != (BASELINE,)])
def test_labels_in_random_order_are_predicted_by_chance(name: str):
    X, y, split = problem(HEADS[name].unit, 90)
    rng = np.random.default_rng(5)
    for fold in "012":  # in every fold by itself: else what a fold lacks is what the others have too many of
        rows = np.flatnonzero(split.fold == fold)
        y[rows] = rng.permutation(y[rows])
    predictions = evaluated(spec(name), X, y, split).predictions
    right = int((predictions["y_true"] == predictions["y_pred"]).sum())
    interval = binomtest(right, 90).proportion_ci(0.95, method="wilson")
    assert interval.low <= 1 / 3 <= interval.high


@pytest.mark.parametrize("name", SIZES)
def test_a_network_of_another_size_differs_by_a_number_and_gives_a_share_per_class(name: str):
    plain = HEADS["bcresnet-1"]
    assert {**HEADS[name].params, "options": plain.params["options"]} == plain.params
    shares = (
        catalog.build(spec(name, epochs=1), 0)
        .fit(features("sequence", 6), labels(6))
        .predict_proba(features("sequence", 3))
    )
    assert shares.shape == (3, N_CLASSES)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)


N_MANY = {"svm": (500, 1), "gmm": (500, 30)}
"""Classes and tested clips of the heads that are slow at 1,000 and 30: an SVM compares every two classes."""


def of_many_classes(name: str) -> float:
    """Return the most memory that a head of many classes took, relative to a GiB for 1,000 classes."""
    few = {"gbdt": {"n_estimators": 1}, "rf": {"n_estimators": 1}, "gmm": {"n_init": 1}}.get(name, {})
    if HEADS[name].factory.endswith(":Network"):
        few = {"epochs": 1, "batch_size": 64}
    rng = np.random.default_rng(0)
    n_classes, n_tested = N_MANY.get(name, (1000, 30))
    y = np.repeat([f"class {number}" for number in range(n_classes)], 3)
    fold = np.tile(["train", "train", "dev"], n_classes)
    fold[2 : 3 * n_tested : 3] = "test"
    split = Split("fixed", fold, {"clip": np.arange(len(y)).astype(str)})
    X: Any = rng.normal(size=(n_classes, DIM)).repeat(3, axis=0) + 0.1 * rng.normal(size=(len(y), DIM))
    X = X.astype(np.float32)
    unit = HEADS[name].unit
    X = np.stack([X, X], axis=1) if unit == "layers" else X
    X = [np.stack([row, 0.9 * row]) for row in X] if unit == "sequence" else X
    catalog.build(spec(name, **few), 0)  # imports what it needs
    before = psutil.Process().memory_info().rss
    predictions = evaluated(spec(name, **few), X, y, split).predictions
    assert len(predictions) == n_tested
    status = Path("/proc/self/status").read_text()  # ru_maxrss would count the parent's memory too
    n_bytes = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024 - before
    return n_bytes / 2**30 * (1000 / n_classes) ** 2


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells the highest memory of a process")
@pytest.mark.parametrize("heads", [MANY_CLASSES[:3], pytest.param(MANY_CLASSES[3:], marks=pytest.mark.slow)])
def test_a_thousand_classes_fit_into_memory(heads: Sequence[str]):
    names = [name for name in heads if not catalog.missing(HEADS[name])]
    done = subprocess.run([sys.executable, __file__, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    taken = json.loads(done.stdout)
    assert list(taken) == names
    assert {name: share for name, share in taken.items() if share > 1} == {}


def test_the_svm_ranks_classes_as_it_does_with_probabilities_at_hand():
    X, y, split = problem("clip")
    X = X + np.random.default_rng(1).normal(scale=4, size=X.shape)
    train, test = split.fold != "0", split.fold == "0"
    clipper = FunctionTransformer(np.clip, kw_args={"a_min": -3.0, "a_max": 3.0})
    scaler = make_pipeline(StandardScaler(), clipper).fit(X[train])
    reference = (
        SVC(C=10.0).fit(scaler.transform(X[train]), y[train]).decision_function(scaler.transform(X[test]))
    )
    predictions = evaluated(spec("svm"), X, y, split).predictions
    scores = predictions[predictions["fold"] == "0"].filter(regex="^score_").to_numpy()
    np.testing.assert_allclose(scores, reference)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("svm", SVC(C=10.0)),
        ("logreg", LogisticRegression(max_iter=2000)),
        ("knn", KNeighborsClassifier(weights="distance")),
    ],
)
def test_a_head_of_scikit_learn_is_that_of_scikit_learn(name: str, reference, wine):
    X, y, unseen = wine
    np.testing.assert_array_equal(
        catalog.build(HEADS[name]).fit(X, y).predict(unseen), reference.fit(X, y).predict(unseen)
    )


def test_an_svm_of_many_clips_does_without_the_whole_kernel(wine, monkeypatch):
    X, y, unseen = wine
    whole = catalog.build(HEADS["svm"]).fit(X, y)
    monkeypatch.setattr(svm, "MATRIX_ROWS", len(X) - 1)
    parts = catalog.build(HEADS["svm"]).fit(X, y)
    assert whole.machine_.kernel != parts.machine_.kernel
    np.testing.assert_allclose(whole.decision_function(unseen), parts.decision_function(unseen))


def test_the_calibrated_svm_is_the_svm_with_probabilities_worth_their_name():
    rng = np.random.default_rng(0)
    y = np.repeat(list("abc"), 200)
    X = rng.normal(size=(600, 4)) + 1.2 * (y[:, None] == list("abcx"))
    group = rng.integers(60, size=600).astype(str)
    learnt = group.astype(int) < 40
    plain = catalog.build(HEADS["svm"]).fit(X[learnt], y[learnt])
    head = catalog.build(HEADS["svm-calibrated"]).fit(X[learnt], y[learnt], groups=group[learnt])
    top = head.classes_[plain.decision_function(X[~learnt]).argmax(axis=1)]
    np.testing.assert_array_equal(head.predict(X[~learnt]), top)
    reference = CalibratedClassifierCV(SVC(C=10.0), ensemble=False).fit(X[learnt], y[learnt])
    ours, platts, raw = (
        log_loss(y[~learnt], probabilities)
        for probabilities in (
            head.predict_proba(X[~learnt]),
            reference.predict_proba(X[~learnt]),
            softmax(plain.decision_function(X[~learnt]), axis=1),
        )
    )
    assert ours < 1.15 * platts
    assert ours < raw


def test_gbdt_is_xgboost_with_labels(wine):
    X, y, unseen = wine
    head = catalog.build(HEADS["gbdt"]).fit(X, y)
    encoder = LabelEncoder().fit(y)
    reference = XGBClassifier(tree_method="hist", n_jobs=1, **HEADS["gbdt"].params).fit(
        X, encoder.transform(y)
    )
    np.testing.assert_array_equal(head.predict(unseen), encoder.inverse_transform(reference.predict(unseen)))
    np.testing.assert_array_equal(head.predict_proba(unseen), reference.predict_proba(unseen))
    assert head.classes_.tolist() == ["red", "rosé", "white"]


def test_gmm_sums_the_log_likelihoods_of_a_clips_frames():
    X, y = features("sequence", shift=0.3), labels()
    head = catalog.build(HEADS["gmm"]).fit(X[:30], y[:30])
    options = {"covariance_type": "diag", "n_init": 3, "random_state": 0}
    expected = []
    for name in head.classes_:
        frames = np.concatenate([clip for clip, label in zip(X[:30], y[:30], strict=True) if label == name])
        mixture = GaussianMixture(16, **options).fit(frames.astype(float))
        expected.append([mixture.score_samples(clip.astype(float)).sum() for clip in X[30:]])
    expected = np.array(expected)
    means = [np.logaddexp.reduce(np.delete(expected, row, axis=0)) - np.log(2) for row in range(3)]
    np.testing.assert_allclose(head.decision_function(X[30:]), np.transpose(expected - means), rtol=1e-6)
    np.testing.assert_array_equal(head.predict(X[30:]), head.classes_[np.argmax(expected, axis=0)])


def test_kmeans_is_that_of_scikit_learn_with_the_label_of_most_of_a_cluster(wine):
    X, y, unseen = wine
    head = catalog.build(HEADS["kmeans"]).fit(X, y)
    reference = KMeans(3, n_init=10, random_state=0).fit(X)
    np.testing.assert_array_equal(head.assign(unseen), reference.predict(unseen))
    for cluster in range(3):
        names, counts = np.unique(y[reference.labels_ == cluster], return_counts=True)
        assert set(head.predict(unseen)[reference.predict(unseen) == cluster]) == {names[counts.argmax()]}


def test_the_bic_chooses_the_number_of_gaussians():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(m, 0.3, size=(40, 2)) for m in (0, 5, 10, 15, 20)])
    head = catalog.build(HEADS["gmm-bic"]).fit(X, np.repeat(list("abcde"), 40))
    assert head.clusterer_.n_components == 5
    assert (head.predict(X) == np.repeat(list("abcde"), 40)).all()


def test_clusters_are_scored_against_the_labels_in_every_fold():
    X, y, split = problem("clip")
    predictions = evaluated(
        spec("kmeans"), X + np.random.default_rng(0).normal(scale=6, size=X.shape), y, split
    )
    table = predictions.predictions
    found = {score.metric: score for score in clustering(table)}
    parts = [part for _, part in table.groupby("fold")]
    rand = [adjusted_rand_score(part["y_true"], part["cluster"]) for part in parts]
    assert found["ari"].folds == pytest.approx(rand)
    assert found["ari"].value == pytest.approx(np.mean(rand))
    mutual = [normalized_mutual_info_score(part["y_true"], part["cluster"]) for part in parts]
    assert found["nmi"].value == pytest.approx(np.mean(mutual))
    counts = [pd.crosstab(part["cluster"], part["y_true"]).max(axis=1).sum() for part in parts]
    assert found["purity"].folds == pytest.approx([n / 12 for n in counts])
    assert clustering(evaluated(spec("svm"), X, y, split).predictions) == []


def test_the_baseline_is_the_majority_class(wine):
    X, y, unseen = wine
    assert set(catalog.build(HEADS[BASELINE]).fit(X, y).predict(unseen)) == {"rosé"}


if __name__ == "__main__":  # memory is a process's: the most that it ever had
    print(json.dumps({name: of_many_classes(name) for name in sys.argv[1:]}))  # noqa: T201
