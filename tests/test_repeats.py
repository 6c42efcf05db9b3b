"""Repeated cross-validation: other folds, one row, and an interval with the luck of the training set."""

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from bench import splits, stats
from bench.errors import SplitError
from bench.store import Store
from bench.types import Task

GENDER = Task("gender", "gender", ("speaker",), ("accuracy",))


def voices(sizes: list[int]) -> list[dict[str, str]]:
    """Return a row per clip of speakers of two genders."""
    return [{"gender": "fm"[i % 2], "speaker": f"s{i}"} for i, n in enumerate(sizes) for _ in range(n)]


def test_the_interval_is_that_of_nadeau_and_bengio():
    """Bouckaert and Frank's formula word by word: a t of k r - 1 degrees, variance (1 / k r + n2 / n1)."""
    rng = np.random.default_rng(0)
    folds = rng.normal(0.8, 0.05, size=25).tolist()
    mean = sum(folds) / 25
    variance = sum((fold - mean) ** 2 for fold in folds) / 24
    half = scipy_stats.t(24).ppf(0.975) * ((1 / 25 + 20 / 80) * variance) ** 0.5

    low, high = stats.expected_bounds(mean, folds, 20 / 80, n_groups=100)
    assert (low, high) == pytest.approx((mean - half, mean + half))
    few = stats.expected_bounds(mean, folds, 20 / 80, n_groups=6)
    ratio = scipy_stats.t(5).ppf(0.975) / scipy_stats.t(24).ppf(0.975)
    assert few[1] - few[0] == pytest.approx((high - low) * ratio)


def test_equal_folds_bound_nothing():
    assert stats.expected_bounds(1.0, [1.0] * 25, 0.25, n_groups=50) is None
    assert stats.expected_bounds(0.8, [0.7, 0.9], 0.25, n_groups=1) is None


@pytest.mark.slow
def test_the_interval_of_repeats_holds_the_expected_score_more_often_than_that_of_one_run():
    simulation = runpy.run_path(str(Path(__file__).parent / "simulation" / "repeats.py"))
    _, one, repeated = simulation["coverage"](simulation["Problem"](40, 20, 0.3), 200)
    assert one < repeated
    assert 0.90 <= repeated <= 0.98


@pytest.mark.parametrize("how", ["cv:5", "cv:2", "holdout:0.2"])
def test_repeats_are_other_folds_of_the_same_groups_without_a_leak(dataset_of, how):
    """The speakers' sizes all differ: scikit-learn's seed would move none of them."""
    dataset = dataset_of(voices([2 * n + 1 for n in range(20)]))
    first = splits.make(dataset, GENDER, how)
    parts = splits.repeats(dataset, GENDER, first, 5)

    assert parts[0] is first
    assert len({pd.factorize(part.fold)[0].tobytes() for part in parts}) == 5
    y = dataset.table["gender"].to_numpy()
    for part in parts:
        splits.check(part, y)
        assert set(part.fold) == set(first.fold)
        for _, _, test in part.rounds():
            assert 0.3 < (y[test] == "f").mean() < 0.7


def test_repeats_are_the_same_every_time_and_more_of_them_begin_with_the_same(dataset_of):
    dataset = dataset_of(voices([3] * 12))
    first = splits.make(dataset, GENDER, "cv:3")
    few, many = (splits.repeats(dataset, GENDER, first, n) for n in (3, 6))
    for one, other in zip(few, many, strict=False):
        np.testing.assert_array_equal(one.fold, other.fold)


def test_clips_without_a_label_stay_out_of_every_repeat(dataset_of):
    dataset = dataset_of([*voices([2] * 8), {"gender": "", "speaker": "s1"}])
    first = splits.make(dataset, GENDER, "cv:2")
    assert {part.fold[-1] for part in splits.repeats(dataset, GENDER, first, 3)} == {"dev"}


@pytest.mark.parametrize(
    ("how", "n_speakers", "message"),
    [
        ("loso", 8, "'loso' has a single assignment of groups to folds; expected --split cv:K, holdout:F or"),
        ("cv:2", 4, "4 groups have 2 assignments to the folds of cv:2; ask for fewer"),
    ],
)
def test_too_few_assignments_are_refused(dataset_of, how, n_speakers, message):
    dataset = dataset_of(voices([2] * n_speakers))
    first = splits.make(dataset, GENDER, how)
    with pytest.raises(SplitError, match=f"^--repeats 5: .*{message}"):
        splits.repeats(dataset, GENDER, first, 5)


WORDS = (
    "--tasks",
    "gender",
    "--extractors",
    "mfcc",
    "--heads",
    "svm,pca+logreg",
    "--plain",
    "--split",
    "cv:2",
)


def test_a_repeated_run_has_one_row_per_system_and_can_be_verified(bench, digits):
    once = bench("run", "--datasets", digits, *WORDS, "--out", "once")
    repeated = bench("run", "--datasets", digits, *WORDS, "--repeats", "3", "--out", "out")
    assert (once.exit_code, repeated.exit_code) == (0, 0)

    results = Store(Path("out")).results()
    assert len(results) == 9
    for key, result in Store(Path("once")).results().items():  # the first repeat is the run without repeats
        assert (results[key].scores, results[key].predictions) == (result.scores, result.predictions)
    assert "| expected " in repeated.stdout
    assert "| expected " not in once.stdout
    assert "**3 repeats** of the cross-validation" in repeated.stdout

    bench("report", "out", "--format", "json")
    [table] = json.loads((Path("out") / "leaderboard.json").read_text())["tables"]
    assert [row["repeats"] for row in table["rows"]] == [3, 3, 3]
    row = next(row for row in table["rows"] if row["head"] == "svm")
    score, values = row["scores"][0], [r.scores[0].value for r in results.values() if r.head == "svm"]
    assert score["value"] == pytest.approx(np.mean(values))
    assert len(score["folds"]) == 6
    assert row["expected"][0] < score["value"] < row["expected"][1]
    bench("report", "out", "--format", "csv")
    line = pd.read_csv("out/leaderboard.csv").query(f"head == '{row['head']}'").iloc[0]
    assert [line["expected_low"], line["expected_high"]] == pytest.approx(row["expected"])

    assert bench("audit", "out").exit_code == 0
    again = bench("run", "--datasets", digits, *WORDS, "--repeats", "3", "--out", "out")
    assert "cells: 0 computed, 9 reused" in again.stderr
    assert bench("compare", "out", "out").exit_code == 0


@pytest.mark.no_cover
def test_a_repeated_hold_out_is_ranked_by_its_first_repeat(bench, digits):
    """The repeats test other speakers, of which none is in all of them."""
    words = ["--datasets", digits, *WORDS[:-1], "holdout:0.34", "--plain"]
    once = bench("run", *words, "--out", "once")
    repeated = bench("run", *words, "--repeats", "3", "--out", "out")
    assert (once.exit_code, repeated.exit_code) == (0, 0)

    tables = []
    for out in ("once", "out"):
        bench("report", out, "--format", "json")
        tables += json.loads((Path(out) / "leaderboard.json").read_text())["tables"]
    one, many = ({row["head"]: row["rank"] for row in table["rows"]} for table in tables)
    assert one == many
    assert [row["repeats"] for row in tables[1]["rows"]] == [3, 3, 3]


@pytest.mark.no_cover
def test_fewer_repeats_than_the_last_run_leave_no_cell_behind(bench, digits):
    words = ["--datasets", digits, *WORDS, "--out", "out"]
    bench("run", *words, "--repeats", "2")
    assert bench("run", *words).exit_code == 0
    assert Store(Path("out")).earlier() == []
    assert bench("audit", "out").exit_code == 0


@pytest.mark.no_cover
def test_reducers_are_fitted_again_in_every_repeat(bench, digits):
    """Folds of two repeats share their names, but not their clips."""
    bench("run", "--datasets", digits, *WORDS, "--repeats", "2", "--out", "both")
    results = Store(Path("both")).results().values()
    [second] = [result for result in results if (result.head, result.repeat) == ("pca+logreg", 1)]
    folds = Store(Path("both")).split(second.dataset, "gender", 1)
    folds[["clip", "fold"]].to_csv("folds.csv", index=False)
    bench("run", "--datasets", digits, *WORDS[:-1], "folds.csv", "--out", "alone")
    alone = {result.head: result for result in Store(Path("alone")).results().values()}
    assert alone["pca+logreg"].scores[0].value == second.scores[0].value


def test_a_protocol_with_one_assignment_is_refused_in_one_line(bench, digits):
    words = ["--datasets", digits, *WORDS[:-1], "loso", "--repeats", "3"]
    result = bench("run", *words)
    assert result.exit_code == 2
    assert (
        "--repeats 3: --split loso has a single assignment of groups to folds; expected cv:K" in result.stderr
    )
