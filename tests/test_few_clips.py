"""Runs of few clips, or of none: what is missing is said in one line, and the exit code tells."""

import importlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier

from bench.learn import shortage
from bench.store import Store

FAST = ("--extractors", "mfcc-13", "--plain")


LEARNERS = {
    "knn": lambda: KNeighborsClassifier(5),
    "lda": lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "pca": lambda: PCA(9, svd_solver="full"),
    "umap": lambda: importlib.import_module("bench.reducers.umap").Umap(10),  # takes seconds
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "umap" else []) for name in LEARNERS]
)
@pytest.mark.filterwarnings("ignore")  # of scipy, before umap fails
def test_the_declared_least_number_of_clips_is_that_of_the_library(name: str):
    learner = LEARNERS[name]()
    least = shortage.LEAST[type(learner).__name__](learner, 3)
    rng = np.random.default_rng(0)

    def fit(n_samples: int) -> None:
        X, y = rng.normal(size=(n_samples, 20)), np.arange(n_samples) % 3
        fitted = learner.fit(X, y)
        (fitted.predict if hasattr(fitted, "predict") else fitted.transform)(X)

    fit(least)
    with pytest.raises((ValueError, TypeError)):
        fit(least - 1)


def test_another_error_of_a_head_with_few_clips_is_its_own(digits: Path, bench, tmp_path: Path):
    table = pd.read_csv(digits, dtype=str)
    table.groupby("speaker").head(1).to_csv(digits, index=False)
    (tmp_path / "mine.py").write_text(
        "from sklearn.dummy import DummyClassifier\n"
        "class Odd(DummyClassifier):\n"
        "    def fit(self, X, y):\n"
        "        raise ValueError('labels are odd')\n"
    )
    words = ("--tasks", "gender", "--split", "cv:2", *FAST, "--heads", "./mine.py:Odd", "--out", "out")
    bench("run", "--datasets", digits, *words)
    reasons = {result.reason for result in Store(Path("out")).planned() if result.reason}
    assert reasons == {"ValueError: labels are odd (mine.py:4)"}


@pytest.mark.parametrize(
    ("head", "least"),
    [
        ("knn", 5),
        ("pca-47+logreg", 47),
        pytest.param("umap-10+logreg", 12, id="umap", marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore")  # of scipy, before umap fails
def test_a_learner_with_too_few_clips_says_how_many_it_needs(digits: Path, bench, head: str, least: int):
    table = pd.read_csv(digits, dtype=str)
    table[table["session"] == "0"].groupby("speaker").head(1).to_csv(digits, index=False)
    split = ("--tasks", "gender", "--split", "cv:2")
    run = bench("run", "--datasets", digits, *split, *FAST, "--heads", head, "--out", "out")
    [result] = [result for result in Store(Path("out")).planned() if result.head == head]
    assert run.exit_code == 1
    assert result.reason.startswith("3 training clips in fold '0' are too few (")
    assert f"; expected {least} or more;" in result.reason
    assert "\n" not in result.reason


def test_lda_with_a_clip_per_class_says_so(digits: Path, bench):
    table = pd.read_csv(digits, dtype=str)
    table[table["session"].isin(["0", "1"])].groupby(["speaker", "session"]).head(1).to_csv(
        digits, index=False
    )
    bench("run", "--datasets", digits, "--tasks", "speaker", *FAST, "--heads", "lda", "--out", "out")
    [result] = [result for result in Store(Path("out")).planned() if result.head == "lda"]
    assert "6 training clips in fold '0' are too few" in result.reason
    assert "; expected 7 or more;" in result.reason


def test_a_run_of_skipped_tasks_alone_exits_with_1_and_the_reason(digits: Path, bench):
    run = bench("run", "--datasets", digits, *FAST, "--heads", "knn", "--split", "cv:40")
    assert run.exit_code == 1
    assert "nothing was computed: " in run.stderr
    assert "are fewer than 40 folds" in run.stderr.split("nothing was computed")[1]


def test_a_data_set_without_a_decodable_clip_exits_with_1(tmp_path: Path, bench):
    for label in "ab":
        (tmp_path / "none" / label).mkdir(parents=True)
        (tmp_path / "none" / label / "x.wav").write_text("no audio")
    check = bench("data", "check", "none")
    assert check.exit_code == 1
    assert "none of the 2 clips can be decoded" in check.stderr


def test_a_class_that_loses_all_its_clips_fails_the_task(digits: Path, bench, tmp_path: Path):
    rows = pd.read_csv(digits, dtype=str)
    for number in range(2):
        (tmp_path / f"lost{number}.wav").write_text("no audio")
    lost = [
        {"path": f"lost{n}.wav", "speaker": "nobody", "gender": "none", "session": str(n)} for n in range(2)
    ]
    pd.concat([rows, pd.DataFrame(lost)]).to_csv(digits, index=False)
    words = ("--tasks", "speaker", *FAST, "--heads", "knn", "--allow-bad", "10%", "--out", "out")
    run = bench("run", "--datasets", digits, *words)
    assert run.exit_code == 1
    assert "no clip of nobody can be decoded, 1 of 7 classes" in run.stderr
    shutil.copy(rows["path"][0], tmp_path / "lost0.wav")
    run = bench("run", "--datasets", digits, *words)
    assert "no clip of nobody" not in run.stderr
