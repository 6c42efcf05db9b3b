from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare
from sklearn.metrics import confusion_matrix

from bench import report
from bench.errors import UsageError
from bench.intervals import Standing
from bench.report import across, confusion, leaderboard
from bench.report.tables import Row, Table
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

    def make(
        *results: Result,
        synthetic: bool = True,
        note: str = "",
        finished: bool = True,
        times: int = 1,
        **more: object,
    ) -> Store:
        made = Store(tmp_path / "out")
        made.open()
        names = ["female", "male", "female", "male"]
        known = {"clip": list("abcd"), "fold": list("0011"), "group": list("wxyz"), "y_true": names}
        for each in results:
            # As many right as the result says.
            right = round(each.scores["accuracy"].value * 4) if each.scores else 0
            wrong = ["male" if name == "female" else "female" for name in names]
            table = pd.DataFrame({**known, "y_pred": names[:right] + wrong[right:]})
            parts = [
                table.assign(**{c: table[c] + f"{i or ''}" for c in ("clip", "group")}) for i in range(times)
            ]
            made.append(each, pd.concat(parts) if each.status == Status.OK else None)
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
            "permuted": False,
            "group": "speaker",
            "split_digest": "0",
            "n_groups": 4,
            "n_folds": 2,
            "n_classes": 2,
            "fewest_groups": ["male", 2],
            **more,
        }
        made.write_run(
            {
                "command": "bench run",
                "finished": finished,
                "env": {"bench": "0"},
                "request": {"seeds": [0], "preprocess": [], "augment": [], "precision": "fp32"},
                "identities": {"mfcc": {"factory": "a:B", "params": {"n": 1}, "code": ["0"]}, "gone": {}},
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


def test_rows_are_ranked_with_their_range_and_all_that_may_be_the_best_are_bold(store):
    results = [
        result("a", "mfcc", "svm", 0.5),
        result("b", "other", "svm", 0.75),
        result("c", "mfcc", "gbdt", 0.75),
        result("d", "mfcc", "dummy", 0.25),
    ]
    header, *body = rows(report.write(store(*results)).text)
    assert header[:7] == ["rank", "extractor", "view", "head", "accuracy", "folds", "f1_macro"]
    assert [row[:6] for row in body] == [
        ["1-4", "mfcc", "mean+std", "gbdt", "**0.750**", "0.650 to 0.850"],
        ["1-4", "other", "mean+std", "svm", "**0.750**", "0.650 to 0.850"],
        ["1-4", "mfcc", "mean+std", "svm", "**0.500**", "0.400 to 0.600"],
        ["1-4", "any", "", "dummy (majority class)", "**0.250**", "0.150 to 0.350"],
    ], "four clips tell nothing apart"


def test_the_baselines_equal_rows_are_one_and_unequal_ones_are_not(store):
    results = [result(key, key, "dummy", value) for key, value in {"a": 0.5, "b": 0.5, "c": 0.25}.items()]
    _, *body = rows(report.write(store(*results)).text)
    assert [row[4] for row in body] == ["**0.500**", "**0.250**"]


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
    assert r"- **skipped**: w (mean+std) x svm, w (mean+std) x gbdt: run: pip &lt;install&gt; a\|b" in text


def test_a_table_without_a_single_row_still_says_why(store):
    written = report.write(store(result("a", status=Status.FAILED, reason="no split", scores={})))
    assert "- **failed**: all cells (1): no split" in written.text
    assert [path.name for path in written.paths] == ["leaderboard.md"]


def test_only_the_current_plan_is_shown(store):
    text = report.write(store(result("a"), result("old", "ancient"))).text
    assert "ancient" not in text


def test_several_seeds_are_one_row_with_their_mean_and_spread(store):
    seeds = [result("a", accuracy=0.5), result("b", accuracy=0.75, seed=1)]
    header, *body = rows(report.write(store(*seeds)).text)
    assert header[4:6] == ["accuracy", "seeds"]
    assert [row[4:6] for row in body] == [["**0.625**", "2, ±0.125"]]


def test_intervals_stand_beside_the_scores_they_are_of(store):
    known = {"scores": {"accuracy": Score(0.5, 0.25, 0.875, (0.5, 0.5)), "f1_macro": Score(0.25, 0.0, 0.5)}}
    header, *body = rows(report.write(store(result("a", **known))).text)
    row = dict(zip(header, body[0], strict=True))
    assert row["accuracy"] == "**0.50** [0.25, 0.88]"
    assert row["f1_macro"] == "0.25 [0.00, 0.50]"


def test_few_groups_are_said(store):
    text = report.write(store(result("a"))).text
    assert "**Few groups**: 4 of speaker say little of others" in text
    assert "**Few groups of a class**: 'male' has 2." in text
    assert "Few groups" not in report.write(store(result("a"), n_groups=99, fewest_groups=["m", 9])).text


def test_permuted_labels_are_marked_and_rows_above_chance_named(store):
    rows = result("a", accuracy=1.0), result("b", "w", accuracy=0.5)
    told = report.write(store(*rows, permuted=True, times=10)).text
    assert "gender on demo (synthetic, labels permuted)" in told
    assert "1 of 2 rows are above chance, of which one in 40 is by luck: mfcc svm." in told
    assert "every row is at chance" in report.write(store(result("b", accuracy=0.5), permuted=True)).text


@pytest.mark.figures
def test_smaller_training_sides_are_a_curve_and_no_rows(store, tmp_path: Path):
    parts = [result("b", accuracy=0.25, train_size=0.1), result("c", accuracy=0.5, train_size=0.3)]
    written = report.write(store(result("a", accuracy=0.75), *parts))
    table, curve = written.text.split("### accuracy by training size: gender on demo (synthetic)")
    assert len(rows(table)) == 2
    assert rows(curve)[0] == ["row", "0.1 of the groups", "0.3 of the groups", "1 of the groups"]
    assert rows(curve)[1] == ["mfcc svm", "0.250", "0.500", "0.750"]
    assert (tmp_path / "out" / "figures" / "demo-gender-learning.png") in written.paths


def test_without_whole_training_sides_the_largest_part_is_the_table(store):
    parts = [result("b", accuracy=0.25, train_size=0.1), result("c", accuracy=0.5, train_size=0.3)]
    text = report.write(store(*parts)).text
    assert "- Heads learnt from 0.3 of the training groups of every class." in text
    assert rows(text.split("###")[0])[1][4] == "**0.500**"
    assert "by training size" in text


def test_further_metrics_are_of_the_stored_predictions(store):
    text = report.write(store(result("a", accuracy=0.75)), metrics=["mcc", "roc_auc"]).text
    header, row = rows(text)
    assert row[header.index("mcc")].startswith("0.58 [")
    assert "roc_auc" not in header, "the head gave no scores"
    with pytest.raises(UsageError, match="unknown metric 'mc'; did you mean 'mcc'"):
        report.write(store(result("a")), metrics=["mc"])


def test_the_other_rows_stand_against_the_best(store):
    made = store(result("a", accuracy=0.75), result("b", "w", accuracy=0.25))
    markdown = report.write(made).paths[0].read_text()
    section = markdown.split("### Against the best: gender on demo (synthetic), mfcc svm")[1]
    header, row = rows(section.split("###")[0])
    assert header == ["row", "accuracy less", "p", "p, Holm", "p, permutation", "p, McNemar"]
    assert row[0] == "w svm"
    assert row[1].startswith("0.500 [")
    assert row[5] == "0.5000", "two clips that one row alone gets right"


def test_the_protocol_says_what_was_run(store):
    markdown = report.write(store(result("a"))).paths[0].read_text()
    card = markdown.split("## Protocol")[1]
    assert '| mfcc                | factory a:B, params {"n": 1} |' in card
    assert "gone" not in card
    assert "bench rerun" in card


def test_clips_that_were_left_out_are_counted(store):
    assert "3 clips could not be decoded" in report.write(store(result("a", n_bad=3))).text


def test_an_interrupted_run_says_so(store):
    assert "**The run was interrupted:**" in leaderboard.head([store(result("a"), finished=False)], [])


@pytest.mark.figures
def test_a_report_rendered_twice_is_the_same(store):
    made = store(result("a"))
    first = {path: path.read_bytes() for path in report.write(made).paths}
    for path in first:
        path.unlink()
    assert {path: path.read_bytes() for path in report.write(made).paths} == first


def test_a_folder_without_a_run_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match=r"holds no run\.json"):
        report.write(Store(tmp_path))


def test_a_run_of_an_older_version_is_refused(tmp_path: Path):
    (tmp_path / "run.json").write_text('{"schema": 1, "cells": []}')
    with pytest.raises(UsageError, match=r"run\.json: is of an older version; run the same command again"):
        report.write(Store(tmp_path))


def predictions(n_classes: int) -> pd.DataFrame:
    rng = np.random.default_rng(n_classes)
    names = np.array([f"class {i:03} $x_{i}$ |" for i in range(n_classes)])
    return pd.DataFrame({"y_true": rng.choice(names, 2000), "y_pred": rng.choice(names, 2000)})


@pytest.mark.parametrize("n_classes", [2, 12, 13, 40, 251])
@pytest.mark.figures
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
    assert rows(text)[1:] == [["a", "1 (50 %)", "1 (50 %)"], ["b", "0", "2 (100 %)"]]


def test_many_classes_are_a_list_of_the_most_confused_pairs():
    names = [f"s{i:02}" for i in range(20)]
    table = pd.DataFrame({"y_true": [*names, "s03", "s03", "s07"], "y_pred": [*names, "s04", "s04", "s01"]})
    text = confusion.section(confusion.matrix(table), "t", Path("a.png"))
    assert rows(text)[1:] == [["s03", "s04", "2 (67 %)"], ["s07", "s01", "1 (50 %)"]]


@pytest.mark.figures
def test_a_slice_holds_each_values_score_and_numbers_are_in_order(store):
    made = store(result("a"), result("b", "mfcc", "dummy"))
    text = report.write(made, by=["snr_db"]).text
    _, sliced = text.split("### accuracy by snr_db: gender on demo (synthetic)")
    assert rows(sliced) == [
        ["snr_db", "clips", "groups", "dummy", "mfcc svm"],
        ["-5", "1", "1", "1.000", "1.000"],
        ["10", "2", "2", "0.50 [0.00, 1.00]", "0.50 [0.00, 1.00]"],
        ["none", "1", "1", "0.000", "0.000"],
        ["**worst**", "", "", "0.000", "0.000"],
    ]
    assert (made.out / "figures" / "demo-gender-by-snr_db.png").is_file()
    assert "accuracy by snr_db" in (made.out / "leaderboard.md").read_text()


@pytest.mark.figures
def test_a_column_may_have_any_name(store, tmp_path: Path):
    made = store(result("a"))
    made.write_labels("demo", pd.DataFrame({"clip": list("abcd"), "a/<b>|c d": list("1212")}))
    text = report.write(made, by=["a/<b>|c d"]).text
    assert r"### accuracy by a/&lt;b&gt;\|c d: gender" in text
    assert rows(text.split("### accuracy by")[1])[1][:2] == ["1", "2"]
    assert "](figures/demo-gender-by-a__b__c_d.png)" in text
    assert (tmp_path / "out" / "figures" / "demo-gender-by-a__b__c_d.png").is_file()


def test_a_column_that_no_dataset_has_says_which_there_are(store):
    with pytest.raises(UsageError, match=r"--by snr: there is no such label column; demo has snr_db"):
        report.write(store(result("a")), by=["snr"])


def test_mean_ranks_and_their_critical_difference_are_demsars():
    assert across.critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(20 / 84), abs=1e-3), "table 5"
    assert across.critical_difference(2, 10) == pytest.approx(1.960 * np.sqrt(6 / 60), abs=1e-3)


@pytest.mark.figures
def test_rows_are_ranked_over_all_tables_and_drawn(tmp_path: Path):
    def table(name: str, values: dict[str, float]) -> Table:
        made = [
            Row([result(x, head=x)], {"accuracy": Score(v)}, 0.0, Standing(1, 3, v > 0.8, 1.0))
            for x, v in values.items()
        ]
        return Table(name, "gender", {"metrics": ["accuracy"]}, {"synthetic": False}, made, [], [], {})

    tables = [
        table("one", {"a": 0.9, "b": 0.5, "c": 0.5}),
        table("two", {"a": 0.9, "b": 0.85, "c": 0.2}),
        table("three", {"b": 0.9, "a": 0.7, "c": 0.1, "only here": 1.0}),
    ]
    found = across.ranking(tables)
    assert found.systems.index.tolist() == ["mfcc a", "mfcc b", "mfcc c"]
    assert found.systems["rank"].tolist() == pytest.approx([4 / 3, (2.5 + 2 + 1) / 3, (2.5 + 3 + 3) / 3])
    assert found.systems["wins"].tolist() == [2, 1, 0]
    assert found.systems["among_best"].tolist() == [2, 2, 0]
    ranks = np.array([[1, 2.5, 2.5], [1, 2, 3], [2, 1, 3]])
    assert found.p == pytest.approx(friedmanchisquare(*ranks.T).pvalue)
    across.draw(found, tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").read_bytes().startswith(b"\x89PNG")
    assert across.ranking(tables[:1]) is None
