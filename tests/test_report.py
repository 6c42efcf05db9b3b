import inspect
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from scipy.stats import friedmanchisquare
from sklearn.metrics import confusion_matrix

from bench import display, report
from bench.errors import UsageError
from bench.report.document import Cell, Grid, Paragraph, Picture, Section, code, text
from bench.report.figures import Axis, Lines, Matrix, RankDiagram, png, vega
from bench.report.rows import Row, Table
from bench.report.sections import across, confusion, content, costs, layers, leaderboard, overview
from bench.report.tables import tables
from bench.report.writers import FORMATS, markdown
from bench.request import Request
from bench.stats import Standing
from bench.store import Counters, DatasetRecord, RunRecord, Store, TableProtocol
from bench.types import (
    CopiedGroup,
    Cost,
    GroupObstacle,
    Note,
    Permutations,
    Result,
    Score,
    SplitId,
    Status,
    Step,
    System,
    TaskId,
    View,
)

MEAN_STD = View()
SPLIT = SplitId("cv:2", "speaker")
TASK = TaskId("gender")
SOURCE = DatasetRecord(
    source="x",
    version="1",
    synthetic=True,
    notes=(Note("text", ("left | out",)),),
    n_clips=4,
    content="0123456789abcdef",
)
PROTOCOL = TableProtocol(
    dataset="demo",
    task=TASK,
    about="",
    metrics=("accuracy", "f1_macro"),
    split=SPLIT,
    split_digest="0",
    obstacles=(),
    apart=("speaker", "audio"),
    n_groups=4,
    n_folds=2,
    n_classes=2,
    fewest_groups=("male", 2),
)


def result(
    key: str, extractor: str = "mfcc", head: str = "svm", accuracy: float = 0.5, **fields: object
) -> Result:
    defaults = {
        "dataset": "demo",
        "task": TASK,
        "view": View(),
        "seed": 0,
        "split": SPLIT,
        "status": Status.OK,
        "scores": (
            Score("accuracy", accuracy, folds=(accuracy - 0.1, accuracy + 0.1)),
            Score("f1_macro", 0.25),
        ),
        "n_test": 4,
        "cost": Cost(dim=80, extract_s=1.25, fit_s=0.5),
    }
    return Result(key=key, extractor=extractor, head=head, **{**defaults, **fields})


@pytest.fixture
def store(tmp_path: Path):
    """Return a maker of stores that hold a finished run."""

    def make(
        *results: Result,
        synthetic: bool = True,
        finished: bool = True,
        copies: int = 1,
        **protocol: object,
    ) -> Store:
        store = Store(tmp_path / "out")
        store.open()
        for item in results:
            store.append(item, predictions_of(item, copies) if item.status == Status.OK else None)
        store.write_labels("demo", pd.DataFrame({"clip": list("abcd"), "snr_db": ["10", "-5", "10", "none"]}))
        computed = any(item.status == Status.OK for item in results)
        store.write_run(
            RunRecord(
                command="bench run",
                request=Request(),
                folder=".",
                finished=finished,
                env={"bench": "0"},
                counters=Counters(),
                datasets={"demo": replace(SOURCE, synthetic=synthetic)},
                tables=(replace(PROTOCOL, **protocol),) if computed else (),
                identities={"mfcc": {"factory": "a:B", "params": {"n": 1}, "code": ["0"]}, "gone": {}},
                cells=tuple(item.key for item in results if item.key != "old"),
            )
        )
        return store

    return make


def predictions_of(result: Result, copies: int) -> pd.DataFrame:
    """Return predictions with the accuracy of a result: four clips, copied with names of their own."""
    labels = np.array(["female", "male", "female", "male"])
    n_right = round(result.scores[0].value * 4)
    guesses = np.where(np.arange(4) < n_right, labels, labels[::-1])
    frame = pd.DataFrame({"clip": list("abcd"), "fold": list("0011"), "group": list("wxyz")})
    frame = frame.assign(y_true=labels, y_pred=guesses)
    return pd.concat(
        frame.assign(clip=frame["clip"] + f"{n or ''}", group=frame["group"] + f"{n or ''}")
        for n in range(copies)
    )


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:1] + lines[2:]]


COST = Cost(audio_s=100.0, dim=80, extract_cpu_s=4.0, extract_s=37.0, threads=2, fit_s=0.5, predict_s=0.5)


def test_an_embedding_costs_processor_time_per_second_of_audio_and_a_page_has_the_elapsed_time_beside_it(
    store,
):
    old = replace(COST, extract_cpu_s=None, threads=None)
    results = [result("a", cost=COST), result("b", "old", accuracy=0.75, cost=old)]
    text = report.write(store(*results)).text
    header, *body = rows(text)
    assert header[-4:] == ["dim", "extract cpu s/s", "fit s", "predict s"]
    assert {row[1]: row[-3] for row in body} == {"mfcc": "0.04", "old": "-"}, "of old results it is unknown"
    assert "- Threads of the embedding: 2." in text
    [table] = tables([store(*results)])
    grid = leaderboard.grid(table)
    columns = {header: [row[n] for row in grid.rows] for n, header in enumerate(grid.headers)}
    assert [cell.value for cell in columns["extract cpu s/s"]] == [None, 0.04]
    assert [cell.value for cell in columns["extract s/s"]] == [0.37, 0.37]
    assert [cell.value for cell in columns["threads"]] == [None, 2]


@pytest.mark.parametrize(
    ("cost", "clock", "seconds"),
    [
        (COST, "processor", 162.0),
        (replace(COST, gpu_mb=9.0), "elapsed", 1350.0),
        (replace(COST, extract_cpu_s=None), "elapsed", 1350.0),
    ],
)
def test_scores_are_over_processor_time_unless_a_row_used_a_gpu_or_lacks_it(store, cost, clock, seconds):
    [table] = tables([store(result("a", cost=cost), result("b", head="lda", cost=COST))])
    [picture] = costs.section(table).pictures
    assert picture.figure.x.title.startswith(clock)
    assert [point.x for point in picture.figure.points if point.shape == "svm"] == [seconds]


def test_rows_of_too_few_groups_are_ordered_by_score_without_a_rank(store):
    results = [
        result("a", "mfcc", "svm", 0.5),
        result("b", "other", "svm", 0.75),
        result("c", "mfcc", "gbdt", 0.75),
        result("d", "mfcc", "dummy", 0.25),
    ]
    header, *body = rows(report.write(store(*results)).text)
    assert header[:7] == ["rank", "extractor", "view", "head", "accuracy", "folds", "f1_macro"]
    assert [row[:6] for row in body] == [
        ["", "mfcc", "mean+std", "gbdt", "0.750", "0.650 to 0.850"],
        ["", "other", "mean+std", "svm", "0.750", "0.650 to 0.850"],
        ["", "mfcc", "mean+std", "svm", "0.500", "0.400 to 0.600"],
        ["", "any", "", "dummy (majority class)", "0.250", "0.150 to 0.350"],
    ], "four clips tell nothing apart"


def test_the_baselines_equal_rows_are_one_and_unequal_ones_are_not(store):
    results = [result(key, key, "dummy", value) for key, value in {"a": 0.5, "b": 0.5, "c": 0.25}.items()]
    _, *body = rows(report.write(store(*results)).text)
    assert [row[4] for row in body] == ["0.500", "0.250"]


def test_the_table_names_its_split_its_data_and_why_no_stricter_split_was_possible(store):
    text = report.write(store(result("a"), obstacles=(GroupObstacle(("session",), "absent"),))).text
    notes = "\n".join(line for line in text.splitlines() if line.startswith("- "))
    assert "cv:2, grouped by speaker (4 groups), 2 tested folds, 2 classes" in notes
    assert "- Kept apart in every fold: speaker, audio." in notes
    assert "- No stricter split was possible: session: there is no such column." in notes
    assert "4 clips, version 1, content `0123456789ab`" in notes
    assert r"- left \| out" in notes


def test_synthetic_data_are_marked_wherever_their_numbers_are(store):
    written = report.write(store(result("a")))
    markdown = written.paths[0].read_text()
    for page in (written.text, markdown):
        assert "gender on demo (synthetic)" in page
        assert "**Synthetic audio**" in page
    assert "Confusion matrix: gender on demo (synthetic): mfcc, svm" in markdown


def test_real_data_are_not_marked(store):
    written = report.write(store(result("a"), synthetic=False))
    assert "ynthetic" not in written.paths[0].read_text()


def test_cells_without_a_result_are_listed_with_their_reason_once(store):
    missing = {"status": Status.SKIPPED, "reason": "run: pip <install> a|b", "scores": ()}
    results = result("a"), result("b", "w", **missing), result("c", "w", "gbdt", **missing)
    text = report.write(store(*results)).text
    assert r"- **skipped**: w svm; w gbdt: run: pip &lt;install&gt; a\|b" in text


def test_a_table_without_a_single_row_still_says_why(store):
    written = report.write(store(result("a", status=Status.FAILED, reason="no split", scores=())))
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
    scores = (
        Score("accuracy", 0.5, low=0.25, high=0.875, folds=(0.5, 0.5)),
        Score("f1_macro", 0.25, low=0.0, high=0.5),
    )
    header, *body = rows(report.write(store(result("a", scores=scores))).text)
    row = dict(zip(header, body[0], strict=True))
    assert row["accuracy"] == "**0.50** [0.25, 0.88]"
    assert row["f1_macro"] == "0.25 [0.00, 0.50]"


def test_few_groups_are_marked(store):
    text = report.write(store(result("a"))).text
    assert "**Few groups**: 4 of speaker" in text
    assert "**Few groups of a class**: 'male' has 2." in text
    assert "Few groups" not in report.write(store(result("a"), n_groups=99, fewest_groups=("m", 9))).text


def test_a_row_that_learns_permuted_labels_tells_a_leak(store):
    copies = (CopiedGroup("ann", "bob", 0.7), CopiedGroup("bob", "ann", 0.6))
    luck = Permutations((0.5, 0.6, 0.4), (0.5, 0.5, 0.5), (0.49, 0.51), ())
    leak = Permutations((0.9, 0.95, 0.85), (0.5, 0.5, 0.5), (0.5, 0.5001), copies)
    results = result("a", accuracy=1.0), result("b", "w", accuracy=0.5)
    text = report.write(store(*(replace(row, permutations=luck) for row in results))).text
    assert "No leak between groups" in text
    assert "No copied group" in text
    assert "1 of 4" in text, "the place of 1.0 among three scores below it"
    assert "3 of 4" in text, "0.5 is as good as one and below another"
    results = replace(results[0], permutations=leak), replace(results[1], permutations=luck)
    text = report.write(store(*results)).text
    assert "- **Leak**: 1 of 2 rows learn the labels that tested groups drew" in text
    assert text.count("ann and bob seem to hold the same clips (70%)") == 1


def test_the_place_among_permutations_is_that_of_the_seed_that_they_were_drawn_for(store):
    luck = Permutations((0.5, 0.6, 0.4), (0.5, 0.5, 0.5), (0.49, 0.51), ())
    seeds = [
        result("a", accuracy=1.0, permutations=luck),
        result("b", accuracy=0.1, seed=1, permutations=luck),
    ]
    assert "1 of 4" in report.write(store(*seeds)).text, "their mean of 0.55 is below one of the draws"


def test_permuted_labels_of_an_earlier_release_are_marked(store):
    text = report.write(store(result("a"), split=replace(SPLIT, permuted=True), copies=10)).text
    assert "gender on demo (synthetic, labels permuted)" in text


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
    assert "0.3 of the training groups of every class" in text
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
    runs = store(result("a", accuracy=0.75), result("b", "w", accuracy=0.25))
    markdown = report.write(runs).paths[0].read_text()
    section = markdown.split("### Against the best: gender on demo (synthetic), mfcc svm")[1]
    header, row = rows(section.split("###")[0])
    assert header == ["row", "accuracy less", "p", "p, best", "p, permutation", "p, McNemar"]
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
    assert "3 clips cannot be decoded" in report.write(store(result("a", n_bad=3))).text


def test_an_interrupted_run_says_so(store):
    section = overview.section([store(result("a"), finished=False).run()], [])
    assert "**The run was interrupted:**" in markdown.text([section])


@pytest.mark.figures
def test_a_report_rendered_twice_is_the_same(store):
    runs = store(result("a"))
    first = {path: path.read_bytes() for path in report.write(runs).paths}
    for path in first:
        path.unlink()
    assert {path: path.read_bytes() for path in report.write(runs).paths} == first


def test_a_folder_without_a_run_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match=r"holds no run\.json"):
        report.write(Store(tmp_path))


def test_a_run_of_an_older_version_is_refused(tmp_path: Path):
    (tmp_path / "run.json").write_text('{"schema": 1, "cells": []}')
    with pytest.raises(UsageError, match=r"run\.json: .*run the same command again"):
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
    png.write(Matrix("noise | $ on <x>", counts), tmp_path / "deep" / "a.png")
    assert (tmp_path / "deep" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_few_classes_are_a_table_of_counts():
    table = pd.DataFrame({"y_true": list("aabb"), "y_pred": list("abbb")})
    counts = confusion.matrix(table)
    picture = Picture("t|", Matrix("t|", counts), "confusion/my a.png")
    text = markdown.text([Section("t", 3, (picture, confusion.grid(counts)))])
    assert r"![t\|](confusion/my%20a.png)" in text
    assert rows(text)[1:] == [["a", "1 (50 %)", "1 (50 %)"], ["b", "0", "2 (100 %)"]]


def test_many_classes_are_a_list_of_the_most_confused_pairs():
    names = [f"s{i:02}" for i in range(20)]
    table = pd.DataFrame({"y_true": [*names, "s03", "s03", "s07"], "y_pred": [*names, "s04", "s04", "s01"]})
    text = markdown.text([Section("t", 3, (confusion.grid(confusion.matrix(table)),))])
    assert rows(text)[1:] == [["s03", "s04", "2 (67 %)"], ["s07", "s01", "1 (50 %)"]]


@pytest.mark.figures
def test_a_slice_holds_each_values_score_and_numbers_are_in_order(store):
    runs = store(result("a"), result("b", "mfcc", "dummy"))
    text = report.write(runs, by=["snr_db"]).text
    _, sliced = text.split("### accuracy by snr_db: gender on demo (synthetic)")
    too_few = "(too few groups to bound)"
    assert rows(sliced) == [
        ["snr_db", "clips", "groups", "mfcc svm", "dummy"],
        ["-5", "1", "1", f"1.000 {too_few}", f"1.000 {too_few}"],
        ["10", "2", "2", f"0.500 {too_few}", f"0.500 {too_few}"],
        ["none", "1", "1", f"0.000 {too_few}", f"0.000 {too_few}"],
        ["**worst**", "", "", f"0.000 {too_few}", f"0.000 {too_few}"],
    ]
    assert (runs.out / "figures" / "demo-gender-by-snr_db.png").is_file()
    assert "accuracy by snr_db" in (runs.out / "leaderboard.md").read_text()


@pytest.mark.figures
def test_a_column_may_have_any_name(store, tmp_path: Path):
    runs = store(result("a"))
    runs.write_labels("demo", pd.DataFrame({"clip": list("abcd"), "a/<b>|c d": list("1212")}))
    text = report.write(runs, by=["a/<b>|c d"]).text
    assert r"### accuracy by a/&lt;b&gt;\|c d: gender" in text
    assert rows(text.split("### accuracy by")[1])[1][:2] == ["1", "2"]
    assert "](figures/demo-gender-by-a__b__c_d.png)" in text
    assert (tmp_path / "out" / "figures" / "demo-gender-by-a__b__c_d.png").is_file()


def test_a_column_that_no_dataset_has_says_which_there_are(store):
    with pytest.raises(UsageError, match=r"--by snr: .*demo has snr_db"):
        report.write(store(result("a")), by=["snr"])


def table(name: str, values: dict[str, float], view: View = MEAN_STD) -> Table:
    """Return a table with a row per head, whose accuracies are the values."""
    table_rows = tuple(
        Row(
            system=System("mfcc", view, head),
            results=(result(head, head=head, view=view),),
            scores=(Score("accuracy", value),),
            spread=0.0,
            standing=Standing(1, 3, value > 0.8, 1.0),
        )
        for head, value in values.items()
    )
    return Table(
        dataset=name,
        task=TASK,
        protocol=PROTOCOL,
        source=SOURCE,
        rows=table_rows,
        smaller=(),
        others=(),
        stores={},
    )


@pytest.mark.figures
def test_rows_are_ranked_over_all_tables_and_drawn(tmp_path: Path):
    tables = [
        table("one", {"a": 0.9, "b": 0.5, "c": 0.5}),
        table("two", {"a": 0.9, "b": 0.85, "c": 0.2}),
        table("three", {"b": 0.9, "a": 0.7, "c": 0.1, "only here": 1.0}),
    ]
    ranking = across.ranking(tables)
    assert [item.system.head for item in ranking.systems] == ["a", "b", "c"]
    mean_ranks = [4 / 3, (2.5 + 2 + 1) / 3, (2.5 + 3 + 3) / 3]
    assert [item.rank for item in ranking.systems] == pytest.approx(mean_ranks)
    assert [item.wins for item in ranking.systems] == [2, 1, 0]
    assert [item.among_best for item in ranking.systems] == [2, 2, 0]
    ranks = np.array([[1, 2.5, 2.5], [1, 2, 3], [2, 1, 3]])
    assert ranking.p == pytest.approx(friedmanchisquare(*ranks.T).pvalue)
    [picture] = across.section(tables * 4).pictures
    png.write(picture.figure, tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").read_bytes().startswith(b"\x89PNG")
    assert across.ranking(tables[:1]) is None


def test_systems_are_matched_across_tables_by_their_values_and_not_by_their_names():
    """A table with several views names them, one with a single view does not."""
    one = table("one", {"a": 0.9, "b": 0.5})
    other = table("two", {"a": 0.7, "b": 0.6}, View(pool="max"))
    both = replace(one, dataset="both", rows=(*one.rows, *other.rows))
    assert {item.system for item in across.ranking([one, both]).systems} == {row.system for row in one.rows}
    assert across.ranking([one, other]) is None


def test_scores_over_layers_are_lines_without_parsing_names():
    tables = [table("one", {"a": 0.5 + layer / 10}, View(layer, "mean")) for layer in range(3)]
    rows = tuple(row for item in tables for row in item.rows)
    [picture] = layers.section(replace(tables[0], rows=rows)).pictures
    [line] = picture.figure.lines.values()
    assert {layer: score.value for layer, score in line.items()} == {0.0: 0.5, 1.0: 0.6, 2.0: 0.7}


def test_settings_that_differ_are_rows_of_their_own(store):
    trimmed = (Step("trim", 40.0),)
    results = result("a", accuracy=0.5), result("b", accuracy=0.75, preprocess=trimmed)
    written = report.write(store(*results))
    assert "mfcc svm, trim=40" in written.paths[0].read_text()
    header, *body = rows(written.text)
    assert "seeds" not in header
    assert [row[4] for row in body] == ["0.750", "0.500"]


FUNCTIONS = [name for name, value in vars(display).items() if inspect.isfunction(value) and name[0] != "_"]


def test_reworded_names_change_neither_the_rows_nor_their_order(store, monkeypatch: pytest.MonkeyPatch):
    views = View(10, "mean"), View(2, "mean"), View(), View(pool="none")
    results = [result(f"k{n}", view=view, accuracy=0.5) for n, view in enumerate(views)]
    runs = store(*results, result("d", head="dummy"), result("e", "w", accuracy=0.75))
    before = [(row.system, row.standing, row.scores) for row in tables([runs])[0].rows]
    content = json.loads(leaderboard_json(runs))
    for name in FUNCTIONS:
        monkeypatch.setattr(display, name, lambda *_: "x")
    monkeypatch.setattr(display, "names", lambda systems: dict.fromkeys(systems, "x"))
    assert [(row.system, row.standing, row.scores) for row in tables([runs])[0].rows] == before
    reworded = json.loads(leaderboard_json(runs))
    assert [part["rows"] for part in reworded["tables"]] == [part["rows"] for part in content["tables"]]
    ranks = across.ranking([tables([runs])[0], tables([runs])[0]])
    assert {item.system for item in ranks.systems} == {
        system for system, _, _ in before if system.head != "dummy"
    }


def leaderboard_json(runs: Store) -> str:
    [path, *_] = report.write(runs, formats=["json"]).paths
    return path.read_text()


@pytest.mark.parametrize(
    "figure",
    [
        Lines("t", Axis("x", log=True), Axis("y"), {"_a$": {0.1: Score("accuracy", 0.5, low=0.4, high=0.6)}}),
        RankDiagram({"a": 1.2, "b": 1.8}, 0.9),
    ],
)
def test_a_figure_drawn_twice_is_the_same(figure, tmp_path: Path):
    for name in ("1.png", "2.png"):
        png.write(figure, tmp_path / name)
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


def test_every_picture_has_a_renderer_for_where_it_is_shown(store):
    of_layers = [result(f"layer {n}", view=View(n)) for n in range(2)]
    runs = store(result("a", train_size=0.5), result("b"), *of_layers)
    sections = content([runs], tables([runs]), by=["snr_db"]).sections
    pictures = [(section, picture) for section in sections for picture in section.pictures]
    assert {picture.title for _, picture in pictures} >= {"layers", "learning curves", "accuracy by snr_db"}
    for section, picture in pictures:
        if "page" in section.media:
            assert type(picture.figure) in vega.RENDERERS
        if picture.path:
            assert type(picture.figure) in png.RENDERERS


def test_every_format_has_a_file_of_its_own():
    files = [item.file for item in FORMATS.values()]
    assert len(set(files)) == len(files)


@pytest.mark.parametrize("words", ["[a](b)", "[x] done", "a|b", "*b*", "`c`", "<d>", "_e_", "[f]: g"])
def test_a_text_that_looks_like_markdown_is_shown_as_it_is(words: str):
    safe = markdown.escaped(words)
    visible = re.sub(r"\\(.)", r"\1", safe).replace("&lt;", "<").replace("&gt;", ">")
    assert (visible, safe != words) == (words, True)
    assert markdown.escaped("accuracy[frame] my_label") == "accuracy[frame] my_label"


CODES = ["`", "a`", "`a", "``a` b", "`<script>`", "a|b", "a\nb", "a\r# b", "`![x](y)", "&lt;"]


@pytest.mark.parametrize("words", CODES)
def test_a_code_span_shows_any_text_and_ends_where_it_ends(words: str):
    paragraph = Paragraph(text("Made by ", code(words), " with *x*."))
    [_, inline, _] = MarkdownIt().parse(markdown.text([Section("", 1, (paragraph,))]))
    shown = [(token.type, token.content) for token in inline.children]
    assert shown == [("text", "Made by "), ("code_inline", " ".join(words.split())), ("text", " with *x*.")]


@pytest.mark.parametrize("words", CODES)
def test_a_code_span_of_a_table_stays_in_its_cell(words: str):
    grid = Grid(("a", "b"), ((Cell(words, text(code(words), " |")), Cell("c", text("c"))),))
    tokens = MarkdownIt().enable("table").parse(markdown.text([Section("", 1, (grid,))]))
    cells = [token.children for token in tokens if token.type == "inline"][2:]
    assert [[token.content for token in cell] for cell in cells] == [[" ".join(words.split()), " |"], ["c"]]


def test_a_text_of_a_csv_is_no_formula_and_a_number_stays_one(store, tmp_path: Path):
    names = ["=cmd|' /C calc'!A0", "+x", "-x", "@x", "\tx", "\rx", "mfcc-13", "-1.5"]
    results = [result(f"k{number}", name) for number, name in enumerate(names)]
    failed = result("f", status=Status.FAILED, scores=(), reason="-x is no file")
    [path, *_] = report.write(store(*results, failed), formats=["csv"], folder=tmp_path).paths
    table = pd.read_csv(path, lineterminator="\n")
    computed = table[table["status"] == "ok"]
    assert {*computed["extractor"]} == {*(f"'{name}" for name in names[:6]), *names[6:]}
    assert table["reason"].dropna().tolist() == ["'-x is no file"]
    assert computed["accuracy"].tolist() == [0.5] * len(names)


def test_the_help_of_the_command_names_every_format(bench):
    text = " ".join(bench("report", "--help").output.split())
    assert f"{', '.join(FORMATS)}, or" in text
