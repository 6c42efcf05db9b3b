"""Scaling, reducers and tuning: on the training side, for every shape, and shared."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, PredefinedSplit, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from bench import display
from bench.errors import PluginError
from bench.learn.folds import evaluate
from bench.learn.pipeline import FlatTransformer, PipelineSpec, ReducerCache
from bench.learn.samples import Examples
from bench.store import Store
from bench.types import Split


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    y = np.array(list("abc"))[np.arange(90) % 3]
    X = (rng.normal(size=(90, 8)) * 2 + (np.arange(90) % 3)[:, np.newaxis]).astype(np.float32)
    group = np.array([f"g{i // 3}" for i in range(90)])
    return X, y, Split("cv:3", np.array([str(i // 3 % 3) for i in range(90)]), {"speaker": group})


def clock():
    return itertools.count().__next__


def test_frames_are_scaled_as_all_of_them_together():
    rng = np.random.default_rng(0)
    clips = [rng.normal(5, 3, size=(n, 4)) for n in (3, 1, 7)]
    scaled = FlatTransformer(StandardScaler()).fit(clips).transform(clips)
    assert [len(frames) for frames in scaled] == [3, 1, 7]
    expected = StandardScaler().fit_transform(np.concatenate(clips))
    np.testing.assert_allclose(np.concatenate(scaled), expected)


def test_every_layer_is_scaled_by_itself():
    X = np.random.default_rng(0).normal(size=(9, 3, 4)) * np.array([1, 10, 100])[:, np.newaxis]
    scaled = FlatTransformer(StandardScaler()).fit(X).transform(X)
    assert scaled.shape == X.shape
    np.testing.assert_allclose(scaled.std(axis=0), 1)


def sparse_problem() -> tuple[np.ndarray, np.ndarray, Split]:
    """Return clips of two classes; 60 of their features are 0 but for one clip in 40, and mean nothing."""
    rng = np.random.default_rng(0)
    y = np.array(list("ab"))[np.arange(120) % 2]
    informative = rng.normal(size=(120, 4)) + 1.5 * (y == "a")[:, np.newaxis]
    nearly_dead = np.where(rng.random((120, 60)) < 1 / 40, rng.exponential(1e-3, (120, 60)), 0)
    group = np.arange(120).astype(str)
    return (
        np.hstack([informative, nearly_dead]),
        y,
        Split("cv:3", (np.arange(120) % 3).astype(str), {"g": group}),
    )


def test_features_within_a_limit_are_those_of_the_scaler_clipped_by_numpy():
    X, y, split = sparse_problem()
    predictions = evaluate(Examples(X, y, split), PipelineSpec(SVC, limit=3.0), clock()).predictions
    clipper = FunctionTransformer(np.clip, kw_args={"a_min": -3.0, "a_max": 3.0})
    model = make_pipeline(StandardScaler(), clipper, SVC())
    expected = cross_val_predict(model, X, y, cv=PredefinedSplit(split.fold.astype(int)))
    assert predictions.sort_values("row")["y_pred"].tolist() == expected.tolist()


def test_nearly_dead_features_do_not_drown_the_others_within_a_limit():
    X, y, split = sparse_problem()
    right = {}
    for limit in (0.0, 3.0):
        spec = PipelineSpec(lambda: SVC(C=10.0), limit=limit)
        predictions = evaluate(Examples(X, y, split), spec, clock()).predictions
        right[limit] = (predictions["y_pred"] == predictions["y_true"]).mean()
    assert right[3.0] > right[0.0] + 0.05


def test_frames_are_within_the_limit_too():
    rng = np.random.default_rng(0)
    clips = [rng.standard_cauchy(size=(n, 2)) for n in (5, 9)]
    scaled = PipelineSpec(SVC, "sequence", limit=1.5).feature_steps().fit_transform(clips)
    assert [frames.shape for frames in scaled] == [(5, 2), (9, 2)]
    assert max(np.abs(frames).max() for frames in scaled) == 1.5


def test_a_reducer_is_fitted_on_the_training_side_and_once_for_all_heads(problem):
    X, y, split = problem
    fits = []

    class Counted(PCA):
        def fit(self, X, y=None):
            fits.append(len(X))
            return super().fit(X)

    cache = ReducerCache()
    for head in (SVC, LogisticRegression, SVC):
        spec = PipelineSpec(head, steps=[("pca", lambda: Counted(3, random_state=0))])
        predictions = evaluate(Examples(X, y, split), spec, clock(), cache).predictions
        expected = []
        for fold in "012":
            train, test = split.fold != fold, split.fold == fold
            model = make_pipeline(StandardScaler(), PCA(3, random_state=0), head())
            expected += model.fit(X[train], y[train]).predict(X[test]).tolist()
        assert predictions["y_pred"].tolist() == expected
    assert fits == [60, 60, 60]


def test_parameters_are_chosen_in_inner_folds_that_share_no_group(problem):
    X, y, split = problem
    grid = {"C": [0.001, 1.0, 1000.0]}
    evaluation = evaluate(Examples(X, y, split), PipelineSpec(SVC, grid=grid), clock())
    inner = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    for number, fold in enumerate("012"):
        train, test = split.fold != fold, split.fold == fold
        model = make_pipeline(StandardScaler(), SVC())
        search = GridSearchCV(model, {"svc__C": grid["C"]}, scoring="balanced_accuracy", cv=inner)
        search.fit(X[train], y[train], groups=split.groups["speaker"][train])
        assert evaluation.parameters[number] == {"C": search.best_params_["svc__C"]}
        part = evaluation.predictions[evaluation.predictions["fold"] == fold]
        assert part["y_pred"].tolist() == search.predict(X[test]).tolist()


def test_a_class_of_one_group_cannot_be_tuned(problem):
    X, y, split = problem
    group = np.where(y == "a", "g-" + split.fold.astype(object), split.groups["speaker"]).astype(str)
    fold = np.where(split.fold == "0", "test", "train")
    group[(y == "a") & (fold == "train")] = "one"
    examples = Examples(X, y, Split("fixed", fold, {"speaker": group}))
    with pytest.raises(PluginError, match="class 'a' has 1 training group, expected 2"):
        evaluate(examples, PipelineSpec(SVC, grid={"C": [1, 2]}), clock())


@pytest.mark.no_cover
def test_tuned_and_untuned_heads_are_rows_of_their_own(bench, digits: Path, tmp_path: Path):
    call = ["run", "--datasets", digits, "--tasks", "speaker", "--extractors", "mfcc-13"]
    done = bench(*call, "--heads", "logreg,lda", "--tune")
    assert done.exit_code == 0, done.stderr
    results = {
        display.head(result.system): result for result in Store(tmp_path / "bench-out").results().values()
    }
    assert set(results) == {"dummy", "logreg", "logreg (tuned)", "lda"}
    n_folds = len(results["logreg"].score("accuracy").folds)
    assert [set(parameters) for parameters in results["logreg (tuned)"].tuned] == [{"C"}] * n_folds
    assert results["logreg"].tuned == ()
    assert (results["logreg (tuned)"].head, results["logreg (tuned)"].is_tuned) == ("logreg", True)
    assert Store(tmp_path / "bench-out").run().identities["logreg@tuned"]["grid"]
    assert "logreg (tuned)" in done.stdout
    assert bench(*call, "--heads", "logreg,lda", "--tune").exit_code == 0
    counters = json.loads((tmp_path / "bench-out" / "run.json").read_text())["counters"]
    assert counters["cells_computed"] == 0


@pytest.mark.xdist_group("umap")
@pytest.mark.no_cover
def test_reducers_are_named_before_their_head(bench, digits: Path, tmp_path: Path):
    call = ["run", "--datasets", digits, "--tasks", "speaker", "--extractors", "mfcc-13", "--out", "out"]
    call += ["--split", "cv:2"]
    assert bench(*call, "--heads", "pca+svm,pca-47+svm,umap+knn,svm").exit_code == 1, (
        "47 components of 24 clips"
    )
    status = {result.head: str(result.status) for result in Store(tmp_path / "out").results().values()}
    assert status == {"dummy": "ok", "svm": "ok", "pca+svm": "ok", "umap+knn": "ok", "pca-47+svm": "failed"}
    done = bench(*call, "--heads", "pac+svm")
    assert done.exit_code == 2
    assert "unknown reducer 'pac'; did you mean 'pca'?" in done.stderr
