"""Folds: nothing is fitted to a tested clip, and predictions are those of plain scikit-learn loops."""

import itertools
import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from bench.errors import PluginError, SplitError
from bench.learn.folds import ALL, evaluate, fit_all, training_part
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples
from bench.learn.scoring import levels, score
from bench.splits import join_groups
from bench.types import Split


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    y = np.array(list("abc"))[np.arange(90) % 3]
    X = (rng.normal(size=(90, 5)) * [1, 10, 100, 1, 1] + (np.arange(90) % 3)[:, np.newaxis]).astype(
        np.float32
    )
    group = np.array([f"g{i // 3}" for i in range(90)])
    return X, y, Split("cv:3", np.array([str(i // 3 % 3) for i in range(90)]), {"speaker": group})


def clock():
    return itertools.count().__next__


def predict(examples: Examples, spec: PipelineSpec) -> pd.DataFrame:
    return evaluate(examples, spec, clock()).predictions


@pytest.mark.parametrize(
    "head", [SVC(C=10), LogisticRegression(max_iter=2000), KNeighborsClassifier(), DummyClassifier()]
)
def test_predictions_and_scores_are_those_of_a_plain_scikit_learn_loop(problem, head):
    X, y, split = problem
    predictions = evaluate(
        Examples(X, y, split), PipelineSpec(lambda: head.__class__(**head.get_params())), clock()
    ).predictions
    expected, per_fold = np.empty(90, dtype=object), []
    for fold in "012":
        train, test = split.fold != fold, split.fold == fold
        model = make_pipeline(StandardScaler(), head).fit(X[train], y[train])
        expected[test] = model.predict(X[test])
        per_fold.append(accuracy_score(y[test], expected[test]))
    by_row = predictions.set_index("row").sort_index()
    assert by_row["y_pred"].tolist() == expected.tolist()
    assert by_row["y_true"].tolist() == y.tolist()
    [accuracy] = score(predictions.assign(group="all"), ["accuracy"])
    assert accuracy.value == pytest.approx(accuracy_score(y, expected.astype(str)))
    assert accuracy.folds == pytest.approx(per_fold)


def test_nothing_is_fitted_on_a_tested_clip(problem):
    X, y, split = problem
    before = predict(Examples(X, y, split), PipelineSpec(SVC)).set_index("row")
    spoilt = X.copy()
    spoilt[0] = 1e6  # a row of fold 0, whose model must not depend on it
    after = predict(Examples(spoilt, y, split), PipelineSpec(SVC)).set_index("row")
    others = before.index[(before["fold"] == "0") & (before.index != 0)]
    pd.testing.assert_frame_equal(before.loc[others], after.loc[others])
    assert not before[before["fold"] == "1"].equals(after[after["fold"] == "1"])


def test_every_fold_gets_a_fresh_head(problem):
    heads = []

    def build():
        heads.append(SVC())
        return heads[-1]

    evaluate(Examples(*problem), PipelineSpec(build), clock())
    assert len(set(map(id, heads))) == 3


def test_a_leak_is_refused_at_the_moment_of_use(problem):
    X, y, split = problem
    leaky = Split("cv:3", np.roll(split.fold, 1), split.groups)
    with pytest.raises(SplitError, match="split 'cv:3' leaks: speaker g0, g1"):
        evaluate(Examples(X, y, leaky), PipelineSpec(SVC), clock())


def test_time_is_the_clocks_and_shared_between_fitting_and_predicting(problem):
    evaluation = evaluate(Examples(*problem), PipelineSpec(SVC), clock())
    assert (evaluation.fit_s, evaluation.predict_s) == (6, 6), "steps and head, of three folds"
    assert evaluation.n_train == 90


def test_a_fixed_split_trains_and_tests_once(problem):
    X, y, split = problem
    fold = np.array(["train" if name == "0" else "test" if name == "1" else "dev" for name in split.fold])
    evaluation = evaluate(Examples(X, y, Split("fixed", fold, split.groups)), PipelineSpec(SVC), clock())
    assert (evaluation.n_train, len(evaluation.predictions)) == (30, 30)


def test_scores_per_class_are_probabilities_or_decision_values(problem):
    X, y, split = problem
    names = ["score_a", "score_b", "score_c"]
    logreg = predict(Examples(X, y, split), PipelineSpec(LogisticRegression))
    np.testing.assert_allclose(logreg[names].sum(axis=1), 1, rtol=1e-6)
    assert (logreg[names].to_numpy().argmax(axis=1) == [ord(label) - 97 for label in logreg["y_pred"]]).all()
    svm = predict(Examples(X, y, split), PipelineSpec(SVC))
    assert (svm[names].to_numpy().argmax(axis=1) == [ord(label) - 97 for label in svm["y_pred"]]).mean() > 0.9


def test_of_two_classes_the_decision_value_is_that_of_the_second(problem):
    X, y, split = problem
    two = y != "c"
    predictions = predict(Examples(X[two], y[two], split.take(two)), PipelineSpec(SVC))
    np.testing.assert_array_equal(predictions["score_a"], -predictions["score_b"])
    assert ((predictions["score_b"] > 0) == (predictions["y_pred"] == "b")).all()


class Plain(ClassifierMixin, BaseEstimator):
    """Predicts one label, and gives no scores."""

    label = "a"

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.label)


class UnknownLabel(Plain):
    label = "z"


def test_a_head_without_scores_is_fine(problem):
    assert list(predict(Examples(*problem), PipelineSpec(Plain))) == [
        "row",
        "fold",
        "y_true",
        "y_pred",
    ]


def test_a_head_that_predicts_no_label_of_the_training_side_is_refused(problem):
    with pytest.raises(PluginError, match=r"the head predicted \['z'\]"):
        evaluate(Examples(*problem), PipelineSpec(UnknownLabel), clock())


def winners(labels: pd.Series, clip: np.ndarray, means: pd.DataFrame) -> pd.Series:
    """Return every clip's label with the most votes; of equal ones that with the highest mean score."""
    votes = pd.crosstab(clip, labels.to_numpy()).reindex(columns=means.columns, fill_value=0)
    return means.where(votes.eq(votes.max(axis=1), axis=0).to_numpy()).idxmax(axis=1)


def test_a_head_of_frames_is_a_plain_loop_over_frames_and_a_vote(problem):
    X, y, split = problem
    rng = np.random.default_rng(1)
    frames = [(row + 3 * rng.normal(size=(rng.integers(2, 9), 5))).astype(np.float32) for row in X]
    predictions = (
        evaluate(Examples(frames, y, split), PipelineSpec(LogisticRegression, "frame"), clock())
        .predictions.set_index("row")
        .sort_index()
    )
    clip = np.repeat(np.arange(90), [len(array) for array in frames])
    stacked, expected = np.concatenate(frames), np.empty(90, dtype=object)
    right = 0
    for fold in "012":
        train = split.fold[clip] != fold
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(stacked[train], y[clip[train]])
        y_pred = pd.Series(model.predict(stacked[~train]))
        right += (y_pred.to_numpy() == y[clip[~train]]).sum()
        scores = pd.DataFrame(model.predict_proba(stacked[~train]), columns=list("abc"))
        means = scores.groupby(clip[~train]).mean()
        voted = winners(y_pred, clip[~train], means)
        expected[voted.index] = voted
        scores = predictions.loc[means.index, ["score_a", "score_b", "score_c"]]
        np.testing.assert_allclose(scores.to_numpy(), means.to_numpy(), rtol=1e-6)
    assert predictions["y_pred"].tolist() == expected.tolist()
    tables = levels(predictions.assign(group="g"), None)
    assert set(tables) == {"frame", "frame-mean"}
    [accuracy] = score(tables["frame"], ["accuracy"], "frame")
    assert (accuracy.level, accuracy.value) == ("frame", pytest.approx(right / len(clip)))


def test_segments_are_scored_at_the_level_of_their_clips_too(problem):
    X, y, split = problem
    predictions = evaluate(
        Examples(X, y, split), PipelineSpec(LogisticRegression), clock()
    ).predictions.assign(group="g")
    parent = np.array([f"{label}{i % 10}" for i, label in enumerate(predictions["y_true"])])
    tables = levels(predictions, parent)
    scores = predictions[["score_a", "score_b", "score_c"]].set_axis(list("abc"), axis=1)
    voted = winners(predictions["y_pred"], parent, scores.groupby(parent).mean())
    pd.testing.assert_series_equal(tables["parent-vote"]["y_pred"], voted, check_names=False)
    assert set(tables) == {"parent-vote", "parent-mean"}
    mixed = np.array([f"{i % 10}" for i in range(len(predictions))])
    assert levels(predictions, mixed) == {}, "segments of several labels have no common one"
    plain = predict(Examples(*problem), PipelineSpec(Plain)).assign(group="g")
    assert set(levels(plain, parent)) == {"parent-vote"}


@pytest.mark.parametrize("several", [False, True], ids=["a class per group", "several classes per group"])
def test_smaller_training_sides_hold_whole_groups_of_every_class_and_grow(several: bool):
    rng = np.random.default_rng(0)
    group = np.sort(rng.integers(30, size=200)).astype(str)
    y = rng.choice(list("ab"), 200) if several else np.where(group.astype(int) % 3 == 0, "a", "b")
    rows = np.arange(20, 200)
    sides = [set(training_part(rows, y, group, share).tolist()) for share in (0.1, 0.3, 0.7, 1.0)]
    assert all(one < other for one, other in pairwise(sides))
    assert sides[-1] == set(rows.tolist())
    for side, share in zip(sides, (0.1, 0.3, 0.7), strict=False):
        for label in "ab":
            of_label = rows[y[rows] == label]
            groups = {group[row] for row in side if y[row] == label}
            assert len(groups) == math.ceil(share * len(np.unique(group[of_label])))
            assert {row for row in of_label if group[row] in groups} <= side


def test_a_head_of_a_smaller_training_side_is_fitted_to_that_part(problem):
    X, y, split = problem
    predictions = evaluate(
        Examples(X, y, split), PipelineSpec(SVC, train_size=0.3), clock()
    ).predictions.set_index("row")
    group = join_groups(split.groups)
    for fold, train, test in split.rounds():
        part = training_part(train, y, group, 0.3)
        assert len(part) < len(train)
        model = make_pipeline(StandardScaler(), SVC()).fit(X[part], y[part])
        assert (
            predictions.loc[predictions["fold"] == fold, "y_pred"].loc[test].tolist()
            == model.predict(X[test]).tolist()
        )


@pytest.mark.parametrize("framed", [False, True])
def test_copies_are_trained_on_with_their_clips_and_never_tested(problem, framed: bool):
    X, y, split = problem
    X_unit = [row[np.newaxis] for row in X] if framed else X
    copy = X + np.float32(0.5)
    copies = [[row[np.newaxis] for row in copy] if framed else copy]
    spec = PipelineSpec(SVC, "frame" if framed else "clip")
    predictions = predict(Examples(X_unit, y, split, copies), spec).set_index("row").sort_index()
    expected = np.empty(90, dtype=object)
    for fold in "012":
        train, test = split.fold != fold, split.fold == fold
        model = make_pipeline(StandardScaler(), SVC())
        expected[test] = model.fit(np.r_[X[train], copy[train]], np.r_[y[train], y[train]]).predict(X[test])
    assert predictions["y_pred"].tolist() == expected.tolist()
    assert len(predictions) == 90


def test_copies_of_tested_clips_change_nothing(problem):
    X, y, split = problem
    spoilt = X.copy()
    spoilt[split.fold == "0"] = 1e6
    tables = [predict(Examples(X, y, split, [copy]), PipelineSpec(SVC)) for copy in (X, spoilt)]
    before, after = (predictions.set_index("row").sort_index() for predictions in tables)
    tested = split.fold == "0"
    columns = ["y_pred", "score_a", "score_b", "score_c"]
    pd.testing.assert_frame_equal(before.loc[tested, columns], after.loc[tested, columns])
    assert not before.loc[~tested, columns].equals(after.loc[~tested, columns])


@pytest.mark.parametrize("framed", [False, True])
def test_the_model_of_all_clips_is_fitted_to_every_clip_but_dev_and_to_its_copies(problem, framed: bool):
    X, y, split = problem
    fold = np.array([{"0": "train", "1": "test", "2": "dev"}[name] for name in split.fold])
    copy = X + np.float32(0.5)
    arrays = [[row[np.newaxis] for row in array] if framed else array for array in (X, copy)]
    examples = Examples(arrays[0], y, Split("fixed", fold, split.groups), [arrays[1]])
    model = fit_all(examples, PipelineSpec(LogisticRegression, "frame" if framed else "clip"))
    rows = fold != "dev"
    expected = make_pipeline(StandardScaler(), LogisticRegression())
    expected.fit(np.r_[X[rows], copy[rows]], np.r_[y[rows], y[rows]])
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X))


class Grouped(Plain):
    """Remembers the groups that it is fitted with."""

    def fit(self, X, y, groups):
        self.groups_ = groups
        return super().fit(X, y)


def test_the_model_of_all_clips_gets_the_groups_and_the_share_of_a_fold(problem):
    X, y, split = problem
    model = fit_all(Examples(X, y, split), PipelineSpec(Grouped, train_size=0.3))
    clips = training_part(np.arange(90), y, split.groups["speaker"], 0.3)
    assert model[-1].groups_.tolist() == join_groups(split.groups)[clips].tolist()


def test_the_model_of_all_clips_is_tuned_as_a_fold_is(problem):
    X, y, split = problem
    model = fit_all(Examples(X, y, split), PipelineSpec(SVC, grid={"C": [0.001, 1.0]}))
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SVC()),
        {"svc__C": [0.001, 1.0]},
        scoring="balanced_accuracy",
        cv=StratifiedGroupKFold(3, shuffle=True, random_state=0),
    ).fit(X, y, groups=join_groups(split.groups))
    assert search.best_params_["svc__C"] == model[-1].C
    assert model.predict(X).tolist() == search.predict(X).tolist()


def test_a_fold_with_the_name_of_the_model_of_all_clips_is_refused(problem):
    X, y, split = problem
    fold = np.where(split.fold == "0", ALL, split.fold)
    with pytest.raises(SplitError, match=f"split 'cv:3' has a fold '{ALL}'"):
        fit_all(Examples(X, y, Split("cv:3", fold, split.groups)), PipelineSpec(SVC))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_feature_that_is_not_finite_is_refused(problem, value: float):
    X, y, split = problem
    X[3, 2] = value
    for call in (lambda e, spec: evaluate(e, spec, clock()), fit_all):
        with pytest.raises(PluginError, match="NaN or infinite"):
            call(Examples(X, y, split), PipelineSpec(SVC))
