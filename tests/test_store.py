import dataclasses
import json
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import UsageError
from bench.keys.fingerprints import fingerprint
from bench.request import Request
from bench.store import Counters, RunRecord, Store
from bench.types import SCHEMA, Cost, Result, Score, SplitId, Status, TaskId, View

RESULT = Result(
    key="k1",
    dataset="demo",
    task=TaskId("gender"),
    extractor="mfcc",
    view=View(),
    head="svm",
    seed=0,
    split=SplitId("cv:5", "speaker"),
    status=Status.OK,
    scores=(Score("accuracy", 0.5, folds=(0.25, 0.75)),),
    cost=Cost(audio_s=1.5, dim=80),
    env={"bench": "1"},
)
PREDICTIONS = pd.DataFrame(
    {"clip": ["a"], "fold": ["0"], "y_true": ["f"], "y_pred": ["m"], "score_f": [0.25]}
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "out" / "deep")
    store.open()
    return store


def test_a_result_and_its_predictions_come_back_as_they_were(store: Store):
    store.append(RESULT, PREDICTIONS)
    assert store.results() == {"k1": dataclasses.replace(RESULT, predictions=fingerprint(PREDICTIONS))}
    pd.testing.assert_frame_equal(store.predictions("k1"), PREDICTIONS, check_dtype=False)


def test_a_line_that_was_edited_is_found(store: Store):
    store.append(RESULT)
    store.append(dataclasses.replace(RESULT, key="k2"))
    assert store.broken_seals() == []
    text = store.results_path.read_text()
    for field, edited in (('"key": "k2"', '"key": "k3"'), ('"audio_s": 1.5', '"audio_s": 1.0')):
        assert field in text
        store.results_path.write_text(text.replace(field, edited))
        assert store.broken_seals() == ([2] if "key" in field else [1, 2])


def test_a_fingerprint_is_of_values_and_columns_and_of_no_file():
    table = pd.DataFrame({"clip": ["a", "b"], "y_pred": ["x", "y"], "score_x": [0.5, 0.25]})
    part = pd.concat([pd.DataFrame({"clip": ["z"], "y_pred": ["z"], "score_x": [1.0]}), table]).iloc[1:]
    assert fingerprint(table) == fingerprint(table.astype({"y_pred": object})) == fingerprint(part)
    others = [
        table.assign(clip=["ab", ""]),
        table.assign(y_pred=["x", None]),
        table.assign(y_pred=["x", ""]),
        table.assign(y_pred=["x", "x"]),
        table.assign(score_x=[0.5, 0.2500000001]),
        table.iloc[::-1],
        table.rename(columns={"score_x": "score_y"}),
    ]
    assert len({fingerprint(each) for each in (table, *others)}) == 8


def test_a_line_has_the_fields_of_the_schema(store: Store):
    store.append(RESULT)
    line = json.loads(store.results_path.read_text())
    documented = (
        "schema key dataset task extractor view head seed split status reason scores n_train n_test n_classes"
    )
    more = {"synthetic", "preprocess", "augmentation", "n_bad", "tuned", "cost", "env"}
    more |= {"n_groups", "train_size", "predictions", "split_digest", "seal"}
    assert set(documented.split()) | more == set(line)
    assert line["schema"] == SCHEMA
    cost = "audio_s extract_s extract_cpu_s fit_s predict_s cpu_s dim params peak_mb gpu_mb energy_wh seal"
    assert set(line["cost"]) == set(cost.split())
    assert set(line["scores"][0]) == {"metric", "level", "value", "low", "high", "folds"}
    assert line["view"] == {"layer": "last", "pool": "mean+std"}
    assert line["split"] == {"protocol": "cv:5", "group": "speaker", "leaky": False, "permuted": False}
    assert line["task"] == {"name": "gender", "kind": "classes"}


def test_the_last_line_of_a_key_counts(store: Store):
    store.append(dataclasses.replace(RESULT, status=Status.FAILED, reason="x"))
    store.append(RESULT)
    assert store.results() == {"k1": RESULT}


def test_a_torn_last_line_is_left_out_and_cut_off(store: Store):
    store.append(RESULT)
    store.append(dataclasses.replace(RESULT, key="k2"))
    text = store.results_path.read_bytes()
    store.results_path.write_bytes(text[:-20])
    assert set(store.results()) == {"k1"}
    store.open()
    store.append(dataclasses.replace(RESULT, key="k3"))
    assert set(store.results()) == {"k1", "k3"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hello", "results.jsonl:2: .*remove the line"),
        ("null", "results.jsonl:2: .*remove the line"),
        ("3", "results.jsonl:2: .*remove the line"),
        ("{}", "results.jsonl:2: .*'schema'.*remove the line"),
        ('{"schema": "4"}', "results.jsonl:2: .*remove the line"),
        ('{"schema": 1}', "results.jsonl:2: .*remove the line"),
        (json.dumps({"schema": SCHEMA + 1}), f"results.jsonl:2: schema {SCHEMA + 1}, newer than {SCHEMA}"),
    ],
)
def test_a_damaged_or_newer_line_is_named(store: Store, line: str, message: str):
    store.append(RESULT)
    with store.results_path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UsageError, match=message):
        store.results()


def test_an_output_that_is_a_file_or_cannot_be_written_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file: is a file; expected a folder, or a name that is free"):
        Store(tmp_path / "file")
    with pytest.raises(UsageError, match=r"out: cannot be written .Not a directory"):
        Store(tmp_path / "file" / "out").open()


def test_a_full_disk_says_that_nothing_finished_is_lost(store: Store, monkeypatch: pytest.MonkeyPatch):
    store.append(RESULT)

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UsageError, match=r"No space left on device.*nothing finished is lost"):
        store.append(dataclasses.replace(RESULT, key="k2"))
    assert "k1" in store.results()


def test_a_folder_without_a_run_says_what_is_expected(tmp_path: Path):
    with pytest.raises(UsageError, match=r"nothing: holds no run.json; expected the folder"):
        Store(tmp_path / "nothing").run()


def test_run_json_is_replaced(store: Store):
    record = RunRecord(
        command="bench run",
        request=Request(datasets=("a.csv",), seeds=(0, 1), jobs=4),
        folder="/somewhere",
        finished=False,
        env={"bench": "1", "cores": 2},
        counters=Counters(cells_planned=3),
        datasets={},
        tables=(),
        identities={"mfcc": {"params": {"n_mfcc": 13}}},
        cells=("k1",),
    )
    store.write_run(record)
    store.write_run(dataclasses.replace(record, finished=True))
    request = dataclasses.replace(record.request, jobs=1)
    assert store.run() == dataclasses.replace(record, finished=True, request=request)


def test_bad_clips_are_listed_per_dataset_until_they_are_good(store: Store):
    assert store.bad_clips().empty
    store.write_bad_clips("one", {})
    assert not store.bad_clips_path.exists()
    store.write_bad_clips("one", {"a": "empty, alas", "b": "text"})
    store.write_bad_clips("two", {"c": "NaN"})
    store.write_bad_clips("one", {"b": "text"})
    assert store.bad_clips().to_dict("records") == [
        {"dataset": "two", "clip": "c", "reason": "NaN"},
        {"dataset": "one", "clip": "b", "reason": "text"},
    ]
    store.write_bad_clips("one", {})
    assert store.bad_clips()["clip"].tolist() == ["c"]
