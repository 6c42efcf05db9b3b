"""`--select`: the row that is chosen in inner folds of the training side, scored on the outer ones."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml

from bench.errors import PluginError
from bench.learn import nested
from bench.learn.folds import training_part
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples
from bench.metrics import METRICS
from bench.report.sections.slices import slices
from bench.report.tables import tables
from bench.runner.choices import choose, faults
from bench.store import Store
from bench.types import SELECTED, Result, Score, Split, SplitId, Status, TaskId, View

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "leaderboard.schema.json").read_text())
ACCURACY = METRICS["accuracy"]
N_SPEAKERS, N_CLIPS, N_FOLDS = 20, 5, 5


def clock() -> float:
    return 0.0


class Nearest:
    """A head that remembers which clips it has seen: a feature is the clip's number."""

    seen: list[set[int]]

    def __init__(self) -> None:
        self.classes_ = np.array(["f", "m"])

    def fit(self, X, y):
        Nearest.seen.append(set(X[:, 0].astype(int)))
        self.centres = np.stack([X[y == label, 1:].mean(axis=0) for label in self.classes_])
        return self

    def predict(self, X):
        Nearest.seen.append(set(X[:, 0].astype(int)))
        distances = ((X[:, None, 1:] - self.centres) ** 2).sum(axis=2)
        return self.classes_[distances.argmin(axis=1)]


def examples(rng: np.random.Generator, dim: int = 2) -> Examples:
    """Return clips whose features say nothing of their labels; the first feature is the clip's number."""
    speaker = np.repeat(np.arange(N_SPEAKERS), N_CLIPS)
    X = np.column_stack([np.arange(len(speaker)), rng.standard_normal((len(speaker), dim))])
    fold = (speaker // 2 % N_FOLDS).astype(str)
    y = np.where(speaker % 2, "f", "m")
    return Examples(X=X, y=y, split=Split("cv:5", fold, {"speaker": speaker.astype(str)}))


def test_no_clip_of_the_outer_fold_is_fitted_or_predicted_in_inner_folds():
    clips = examples(np.random.default_rng(0))
    spec, groups = PipelineSpec(head=Nearest, scale=False), clips.split.groups
    for name, train, test in clips.split.rounds():
        one = Split("fixed", np.where(clips.split.fold == name, "test", "train"), groups)
        Nearest.seen = []
        nested.inner_scores(Examples(clips.X, clips.y, one), spec, ACCURACY, clock)
        assert len(Nearest.seen) >= 4
        assert not set.union(*Nearest.seen) & set(test.tolist())

        inner = nested.inner_split(clips, name, train)
        assert set(inner.fold[test]) == {"dev"}
        for _, fitted, held_out in inner.rounds():
            assert not set(groups["speaker"][fitted]) & set(groups["speaker"][held_out])


def test_groups_beyond_the_training_share_choose_nothing():
    clips = examples(np.random.default_rng(0))
    spec = PipelineSpec(head=Nearest, scale=False, train_size=0.5)
    group = clips.split.groups["speaker"]
    for name, train, _ in clips.split.rounds():
        one = Split("fixed", np.where(clips.split.fold == name, "test", "train"), clips.split.groups)
        Nearest.seen = []
        nested.inner_scores(Examples(clips.X, clips.y, one), spec, ACCURACY, clock)
        part = training_part(train, clips.y, group, 0.5)
        assert set.union(*Nearest.seen) <= set(part.tolist())
        assert len(part) < len(train)


def test_a_class_with_one_training_group_has_no_inner_folds():
    clips = examples(np.random.default_rng(0))
    y = np.where(np.arange(len(clips.y)) < N_CLIPS, "m", "f")
    y[-N_CLIPS:] = "m"
    with pytest.raises(
        PluginError, match=r"^--select: class 'm' has 1 training group in fold '0', expected 2; add"
    ):
        nested.inner_scores(Examples(clips.X, y, clips.split), PipelineSpec(head=Nearest), ACCURACY, clock)


def candidate(name: str, inner: tuple[float, ...]) -> Result:
    return Result(
        key=name,
        dataset="d",
        task=TaskId("t"),
        extractor=name,
        view=View(),
        head="svm",
        seed=0,
        split=SplitId("cv:2", "speaker"),
        status=Status.OK,
        inner=inner,
    )


def table(right: list[bool]) -> pd.DataFrame:
    """Return predictions of four clips in two folds."""
    return pd.DataFrame(
        {
            "clip": list("abcd"),
            "fold": list("0011"),
            "group": list("abcd"),
            "y_true": ["f"] * 4,
            "y_pred": np.where(right, "f", "m"),
            "score_f": 1.0,
        }
    )


def test_a_row_that_wins_only_by_luck_is_not_chosen():
    """The lucky row is right everywhere in the outer folds, and at chance in the inner ones."""
    rows = [candidate("lucky", (0.5, 0.5)), candidate("honest", (0.7, 0.8)), candidate("other", (0.6, 0.9))]
    tables = {"lucky": table([True] * 4), "honest": table([True, False] * 2), "other": table([False] * 4)}
    chosen, predictions = choose(rows, "accuracy", lambda result: tables[result.key])

    assert [(choice.fold, choice.key, choice.inner) for choice in chosen] == [
        ("0", "honest", 0.7),
        ("1", "other", 0.9),
    ]
    assert (predictions["y_pred"] == "f").tolist() == [True, False, False, False]
    assert "score_f" not in predictions


def test_an_audit_finds_a_choice_by_the_outer_scores():
    rows = [candidate("lucky", (0.5, 0.5)), candidate("honest", (0.7, 0.8))]
    tables = {"lucky": table([True] * 4), "honest": table([True, False] * 2)}
    forged, _ = choose([candidate("lucky", (0.5, 0.5))], "accuracy", lambda result: tables[result.key])
    columns = ["clip", "fold", "group", "y_true", "y_pred"]
    tables["selected"] = tables["lucky"][columns]
    selected = replace(candidate("selected", ()), scores=(Score("accuracy", 1.0),), chosen=forged)
    assert faults(selected, rows, lambda result: tables[result.key]) == [
        "the chosen rows are not the best ones in inner folds",
        "predictions are not those of the chosen rows",
    ]


@pytest.mark.simulation
def test_the_best_of_noise_is_above_chance_and_the_selected_row_is_not():
    """Rows of noise on random problems: choosing by outer scores wins, by inner ones it does not."""
    rng = np.random.default_rng(0)
    spec = PipelineSpec(head=Nearest, scale=False)
    highest, selected = [], []
    for _ in range(6):
        rows, tables = [], {}
        for number in range(10):
            Nearest.seen = []
            clips = examples(rng)
            predictions = nested.evaluate(clips, spec, clock).predictions.rename(columns={"row": "clip"})
            key = str(number)
            tables[key] = predictions.assign(group=clips.split.groups["speaker"][predictions["clip"]])
            rows.append(candidate(key, nested.inner_scores(clips, spec, ACCURACY, clock)))
        _, chosen = choose(rows, "accuracy", lambda result, tables=tables: tables[result.key])
        highest.append(max((part["y_true"] == part["y_pred"]).mean() for part in tables.values()))
        selected.append((chosen["y_true"] == chosen["y_pred"]).mean())

    error = np.std(selected) / np.sqrt(len(selected))
    assert np.mean(highest) > 0.55
    assert abs(np.mean(selected) - 0.5) < 3 * error


WORDS = ("--tasks", "speaker", "--extractors", "mfcc", "--heads", "svm,logreg", "--plain", "--split", "cv:2")


def test_the_selected_row_is_computed_once_stored_shown_and_verified(bench, digits):
    words = ["run", "--datasets", digits, *WORDS, "--out", "out"]
    plain = bench(*words)
    before = dict(Store(Path("out")).results())
    run = bench(*words, "--select")
    assert (plain.exit_code, run.exit_code) == (0, 0)

    results = Store(Path("out")).results()
    for key, result in before.items():  # keys, scores and predictions of the rows do not change
        assert results[key].scores == result.scores
        assert results[key].predictions == result.predictions
    [selected] = [result for result in results.values() if result.head == SELECTED]
    assert len(selected.chosen) == len(selected.scores[0].folds) == 2
    for number, choice in enumerate(selected.chosen):
        assert results[choice.key].head == choice.head
        pool = [result.inner[number] for result in results.values() if result.inner]
        assert choice.inner == max(pool)
        assert selected.scores[0].folds[number] == results[choice.key].scores[0].folds[number]
    assert "selected (in inner folds)" in run.stdout
    assert "- `selected` is the score of taking the best row" in run.stdout
    assert "selected (in inner folds)" not in plain.stdout

    assert "cells: 0 computed, 4 reused" in bench(*words, "--select").stderr
    assert bench("audit", "out").exit_code == 0
    bench("report", "out", "--format", "json,csv,html,latex,junit,model-index")
    [line] = pd.read_csv("out/leaderboard.csv").query("head == 'selected'").to_dict("records")
    assert line["accuracy"] == pytest.approx(selected.scores[0].value)
    assert Path("out/junit.xml").read_text().count("<testcase") == 4
    content = json.loads(Path("out/leaderboard.json").read_text())
    jsonschema.validate(content, SCHEMA)
    [values] = content["tables"]
    assert [choice["key"] for choice in values["selected"][0]["chosen"]] == [
        choice.key for choice in selected.chosen
    ]
    assert len(values["rows"]) == 3
    assert "selected (in inner folds)" in Path("out/report.html").read_text()
    assert "chosen &  & selected &" in Path("out/leaderboard.tex").read_text()
    models = yaml.safe_load(Path("out/model-index.yml").read_text())["model-index"]
    assert [model["name"] for model in models].count("selected") == 1
    bench(*words[:-1], "other", "--heads", "svm,lda", "--select")
    both = bench("report", "out", "other")
    expected = "out and other: 'selected' of speaker on digits is chosen among other rows in each"
    assert (both.exit_code, expected in both.stderr) == (2, True)
    assert {len(part.scores) for part in slices(tables([Store(Path("out"))])[0], "gender")} == {4}
    # A later run without it shows no choice among its rows.
    assert "selected (in inner folds)" not in bench(*words).stdout
