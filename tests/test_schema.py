"""Lines and records of earlier schemas, and of none."""

import json
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UsageError
from bench.store import read_results, schema
from bench.types import SCHEMA, Augmentation, Change, Cost, Result, Score, SplitId, Status, Step, TaskId, View

BASELINE = Path(__file__).parent.parent / "reports" / "demo" / "baseline.jsonl"

OLD: dict[str, Any] = {
    "key": "k",
    "dataset": "digits",
    "task": "speaker",
    "extractor": "mfcc",
    "view": "layer 9, mean",
    "head": "svm",
    "seed": 0,
    "split": "folds.csv, LEAKY, ignores session, labels permuted",
    "status": "ok",
    "synthetic": False,
    "preprocess": "trim=40, resample=VHQ, peak",
    "augment": "2 copies of each: stretch, noise=0:20",
    "reason": "",
    "scores": {
        "accuracy": {"value": 0.5, "low": 0.25, "high": 0.75, "folds": [0.5]},
        "accuracy[frame]": {"value": 0.25, "low": None, "high": None, "folds": []},
        "accuracy[mean]": {"value": 0.25, "low": None, "high": None, "folds": []},
        "accuracy[clip vote]": {"value": 0.25, "low": None, "high": None, "folds": []},
        "accuracy[clip mean]": {"value": 0.25, "low": None, "high": None, "folds": []},
        "nmi": {"value": 0.25, "low": None, "high": None, "folds": []},
    },
    "cost": {"audio_s": 1.5, "extract_s": 1.0, "fit_s": 1.0, "predict_s": 1.0, "dim": 80},
    "schema": 3,
}


def test_texts_of_schema_3_become_values():
    assert schema.result(json.dumps(OLD), "here") == Result(
        key="k",
        dataset="digits",
        task=TaskId("speaker"),
        extractor="mfcc",
        view=View(9, "mean"),
        head="svm",
        seed=0,
        split=SplitId("folds.csv", "session", leaky=True, permuted=True),
        status=Status.OK,
        preprocess=(Step("trim", 40.0), Step("resample", "VHQ"), Step("peak")),
        augmentation=Augmentation((Change("stretch", 0.8, 1.25), Change("noise", 0.0, 20.0)), copies=2),
        scores=(
            Score("accuracy", 0.5, "clip", 0.25, 0.75, (0.5,)),
            *(
                Score("accuracy", 0.25, level)
                for level in ("frame", "frame-mean", "parent-vote", "parent-mean")
            ),
            Score("nmi", 0.25, "cluster"),
        ),
        cost=Cost(audio_s=1.5, extract_s=1.0, fit_s=1.0, predict_s=1.0, dim=80),
        schema=SCHEMA,
    )


def test_schema_1_lacks_costs_and_schema_2_a_split_digest():
    first = {**OLD, "schema": 1, "split": "", "preprocess": "", "augment": ""}
    result = schema.result(json.dumps(first), "here")
    assert (result.cost.cpu_s, result.cost.gpu_mb, result.split_digest) == (None, None, "")
    assert (result.split, result.preprocess, result.augmentation) == (None, (), None)


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("mean+std", View()),
        ("frames", View("last", "none")),
        ("layer mean, max", View("mean", "max")),
        ("layer all, mean", View("all", "mean")),
        ("layer 0, frames", View(0, "none")),
    ],
)
def test_a_view_in_words_is_read(text: str, view: View):
    assert schema.result(json.dumps({**OLD, "view": text}), "here").view == view


def test_the_published_baseline_of_schema_3_is_read_and_its_seals_hold():
    results = read_results(BASELINE)
    assert len(results) == len(BASELINE.read_text().splitlines()) == 48
    assert {result.split.group for result in results.values() if result.split} == {
        "recording",
        "speaker",
        "session",
    }
    for line in BASELINE.read_text().splitlines():
        fields, is_original = schema.unseal(line)
        assert is_original
        assert schema.seal(fields) == line


def test_a_line_is_read_as_it_was_written():
    result = schema.result(json.dumps(OLD), "here")
    assert schema.result(schema.line(result), "here") == result


@pytest.mark.parametrize("name", [field.name for field in fields(Result)])
def test_a_field_of_another_type_is_one_line_with_its_path(name: str):
    result = asdict(schema.result(json.dumps(OLD), "here"))
    wrong = 3 if isinstance(result[name], (str, dict)) or result[name] is None else "text"
    with pytest.raises(UsageError, match=r"^results.jsonl:7: .*remove the line, and run .* again$") as error:
        schema.result(json.dumps({**result, name: wrong}), "results.jsonl:7")
    assert "\n" not in str(error.value)
    assert name in str(error.value) or name == "schema"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "run.json: "),
        ({}, "'schema'"),
        ({"schema": 99}, "schema 99, newer than 4"),
        ({"schema": 4}, "command"),
        ({"schema": 1, "tables": [{"task": "a"}]}, "'split'"),
    ],
)
def test_a_damaged_record_is_one_line(content: Any, message: str):
    with pytest.raises(UsageError, match=re.escape("out/run.json: ")) as error:
        schema.run_record(content, "out/run.json")
    assert message in str(error.value)
