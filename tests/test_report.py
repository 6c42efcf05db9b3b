from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from bench import report
from bench.errors import UsageError
from bench.report import confusion, leaderboard
from bench.store import Store
from bench.types import Cost, Result, Score, Status


def result(
    key: str, extractor: str = "mfcc", head: str = "svm", accuracy: float = 0.5, **more: object
) -> Result:
    fields = {
        "dataset": "demo",
        "task": "gender",
        "view": "mean+std",
        "seed": 0,
        "split": "cv:2, grouped by speaker",
        "status": Status.OK,
        "scores": {
            "accuracy": Score(accuracy, folds=(accuracy - 0.1, accuracy + 0.1)),
            "f1_macro": Score(0.25),
        },
        "n_test": 4,
        "cost": Cost(dim=80, extract_s=1.25, fit_s=0.5),
    }
    return Result(key=key, extractor=extractor, head=head, **{**fields, **more})


@pytest.fixture
def store(tmp_path: Path):
    """Return a maker of stores that hold a finished run."""

    def make(*results: Result, synthetic: bool = True, note: str = "", finished: bool = True) -> Store:
        made = Store(tmp_path / "out")
        made.open()
        names = ["female", "male", "female", "male"]
        table = pd.DataFrame(
            {"clip": list("abcd"), "fold": list("0011"), "y_true": names, "y_pred": ["female"] * 4}
        )
        for each in results:
            made.append(each, table if each.status == Status.OK else None)
        made.write_labels("demo", pd.DataFrame({"clip": list("abcd"), "snr_db": ["10", "-5", "10", "none"]}))
        source = {
            "source": "x",
            "version": "1",
            "synthetic": synthetic,
            "notes": ["left | out"],
            "n_clips": 4,
        }
        protocol = {
            "dataset": "demo",
            "task": "gender",
            "metrics": ["accuracy", "f1_macro"],
            "split": "cv:2, grouped by speaker",
            "note": note,
            "apart": ["speaker", "audio"],
            "leaky": False,
            "n_groups": 4,
            "n_folds": 2,
            "n_classes": 2,
        }
        made.write_run(
            {
                "command": "bench run",
                "finished": finished,
                "env": {"bench": "0"},
                "datasets": {"demo": {**source, "content": "0123456789abcdef"}},
                "tables": [protocol] if any(each.status == Status.OK for each in results) else [],
                "cells": [each.key for each in results if each.key != "old"],
            }
        )
        return made

    return make


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:1] + lines[2:]]


def test_rows_are_ranked_ties_share_a_rank_and_the_best_are_bold(store):
    results = [
        result("a", "mfcc", "svm", 0.5),
        result("b", "other", "svm", 0.75),
        result("c", "mfcc", "gbdt", 0.75),
        result("d", "mfcc", "dummy", 0.25),
    ]
    header, *body = rows(report.write(store(*results)).text)
    assert header[:7] == ["rank", "extractor", "view", "head", "accuracy", "folds", "f1_macro"]
    assert [row[:6] for row in body] == [
        ["1", "mfcc", "mean+std", "gbdt", "**0.750**", "0.650 to 0.850"],
        ["1", "other", "mean+std", "svm", "**0.750**", "0.650 to 0.850"],
        ["3", "mfcc", "mean+std", "svm", "0.500", "0.400 to 0.600"],
        ["4", "any", "", "dummy (majority class)", "0.250", "0.150 to 0.350"],
    ]


def test_the_baselines_equal_rows_are_one_and_unequal_ones_are_not(store):
    results = [result(key, key, "dummy", value) for key, value in {"a": 0.5, "b": 0.5, "c": 0.25}.items()]
    _, *body = rows(report.write(store(*results)).text)
    assert [row[4] for row in body] == ["**0.500**", "0.250"]


def test_the_table_names_its_split_its_data_and_why_no_stricter_split_was_possible(store):
    text = report.write(store(result("a"), note="session: none")).text
    assert "Split: cv:2, grouped by speaker (4 groups), 2 tested folds, 2 classes." in text
    assert "On one side of every fold alone: each speaker, audio." in text
    assert "No stricter split was possible: session: none." in text
    assert "Data: 4 clips, version 1, content `0123456789ab`." in text
    assert r"- left \| out" in text


def test_synthetic_data_are_marked_wherever_their_numbers_are(store):
    written = report.write(store(result("a")))
    markdown = written.paths[0].read_text()
    for text in (written.text, markdown):
        assert "gender on demo (synthetic)" in text
        assert "**Synthetic audio**" in text
    assert "Confusion matrix: gender on demo (synthetic): mfcc, svm" in markdown


def test_real_data_are_not_marked(store):
    written = report.write(store(result("a"), synthetic=False))
    assert "ynthetic" not in written.paths[0].read_text()


def test_what_was_not_computed_is_listed_with_its_reason_once(store):
    missing = {"status": Status.SKIPPED, "reason": "run: pip <install> a|b", "scores": {}}
    text = report.write(
        store(result("a"), result("b", "w", **missing), result("c", "w", "gbdt", **missing))
    ).text
    assert r"- **skipped**: w (mean+std) x svm, w (mean+std) x gbdt: run: pip &lt;install> a\|b" in text


def test_a_table_without_a_single_row_still_says_why(store):
    written = report.write(store(result("a", status=Status.FAILED, reason="no split", scores={})))
    assert "- **failed**: mfcc (mean+std) x svm: no split" in written.text
    assert [path.name for path in written.paths] == ["leaderboard.md"]


def test_only_the_current_plan_is_shown(store):
    text = report.write(store(result("a"), result("old", "ancient"))).text
    assert "ancient" not in text


def test_several_seeds_have_a_column(store):
    header, *body = rows(report.write(store(result("a"), result("b", seed=1))).text)
    assert header[4] == "seed"
    assert [row[4] for row in body] == ["0", "1"]


def test_clips_that_were_left_out_are_counted(store):
    assert "3 clips could not be decoded" in report.write(store(result("a", n_bad=3))).text


def test_an_interrupted_run_says_so(store):
    assert "**The run was interrupted:**" in leaderboard.head(store(result("a"), finished=False))


def test_a_report_rendered_twice_is_the_same(store):
    made = store(result("a"))
    first = {path: path.read_bytes() for path in report.write(made).paths}
    for path in first:
        path.unlink()
    assert {path: path.read_bytes() for path in report.write(made).paths} == first


def test_a_folder_without_a_run_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match=r"holds no run\.json"):
        report.write(Store(tmp_path))


def predictions(n_classes: int) -> pd.DataFrame:
    rng = np.random.default_rng(n_classes)
    names = np.array([f"class {i:03} $x_{i}$ |" for i in range(n_classes)])
    return pd.DataFrame({"y_true": rng.choice(names, 2000), "y_pred": rng.choice(names, 2000)})


@pytest.mark.parametrize("n_classes", [2, 12, 13, 40, 251])
def test_a_matrix_is_scikit_learns_and_can_be_drawn(n_classes: int, tmp_path: Path):
    table = predictions(n_classes)
    counts = confusion.matrix(table)
    np.testing.assert_array_equal(counts, confusion_matrix(table["y_true"], table["y_pred"]))
    confusion.draw(counts, "noise | $ on <x>", tmp_path / "deep" / "a.png")
    assert (tmp_path / "deep" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_few_classes_are_a_table_of_counts():
    table = pd.DataFrame({"y_true": list("aabb"), "y_pred": list("abbb")})
    text = confusion.section(confusion.matrix(table), "t|", Path("confusion/my a.png"))
    assert r"![t\|](confusion/my%20a.png)" in text
    assert rows(text)[1:] == [["a", "1", "1"], ["b", "0", "2"]]


def test_many_classes_are_a_list_of_the_most_confused_pairs():
    names = [f"s{i:02}" for i in range(20)]
    table = pd.DataFrame({"y_true": [*names, "s03", "s03", "s07"], "y_pred": [*names, "s04", "s04", "s01"]})
    text = confusion.section(confusion.matrix(table), "t", Path("a.png"))
    assert rows(text) == [["true", "predicted", "clips"], ["s03", "s04", "2"], ["s07", "s01", "1"]]


def test_a_slice_holds_each_values_score_and_numbers_are_in_order(store):
    made = store(result("a"), result("b", "mfcc", "dummy"))
    text = report.write(made, by=["snr_db"]).text
    _, sliced = text.split("### accuracy by snr_db: gender on demo (synthetic)")
    assert rows(sliced) == [
        ["snr_db", "clips", "dummy", "mfcc svm"],
        ["-5", "1", "0.000", "0.000"],
        ["10", "2", "1.000", "1.000"],
        ["none", "1", "0.000", "0.000"],
    ]
    assert "accuracy by snr_db" in (made.out / "leaderboard.md").read_text()


def test_a_column_that_no_dataset_has_says_which_there_are(store):
    with pytest.raises(UsageError, match=r"--by snr: there is no such label column; demo has snr_db"):
        report.write(store(result("a")), by=["snr"])
