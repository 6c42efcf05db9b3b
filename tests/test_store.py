import dataclasses
import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bench import files
from bench.errors import UsageError
from bench.keys.fingerprints import fingerprint
from bench.request import Request
from bench.store import Counters, ReportRecord, RunRecord, Store
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
RECORD = RunRecord(
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
        with pytest.raises(UsageError, match=r"results.jsonl:\d: was changed after it was .*remove the line"):
            store.results()
        assert len(store.results(sealed=False)) == 2


def test_a_line_is_the_same_however_an_editor_saves_it(store: Store):
    store.append(RESULT)
    text = store.results_path.read_bytes()
    store.results_path.write_bytes(b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert store.results() == {"k1": RESULT}


def damaged(content: bytes) -> dict[str, bytes]:
    """Return what a power loss makes of a file."""
    half = len(content) // 2
    return {"0": b"", "1": content[:1], "half": content[:half], "-1": content[:-1], "zeros": bytes(2 * half)}


DAMAGES = list(damaged(b""))


@pytest.mark.parametrize("damage", DAMAGES)
def test_predictions_that_cannot_be_read_are_named_and_do_not_count_as_computed(store: Store, damage: str):
    store.append(RESULT, PREDICTIONS)
    assert store.has_predictions("k1")
    path = store.predictions_path("k1")
    path.write_bytes(damaged(path.read_bytes())[damage])
    assert not store.has_predictions("k1")
    with pytest.raises(UsageError, match=r"k1\.parquet: cannot be read \(.*; delete it and run the same c"):
        store.predictions("k1")


def test_predictions_of_another_cell_are_not_the_scored_ones(store: Store):
    store.append(RESULT, PREDICTIONS)
    store.append(dataclasses.replace(RESULT, key="k2"), PREDICTIONS.assign(y_pred="f"))
    results = store.results()
    assert all(len(store.scored_predictions(result)) for result in results.values())
    shutil.copy(store.predictions_path("k2"), store.predictions_path("k1"))
    with pytest.raises(
        UsageError, match=r"k1\.parquet: holds other predictions than the scored ones; delete it"
    ):
        store.scored_predictions(results["k1"])
    assert len(store.scored_predictions(results["k2"]))


def test_a_changed_byte_of_a_table_is_noticed(store: Store):
    store.write_labels("d", pd.DataFrame({"clip": [f"c{n}" for n in range(99)], "age": range(99)}))
    [path] = (store.out / "labels").iterdir()
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"d\.parquet: cannot be read .*run the same command again"):
        store.labels("d")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_report_and_bad_clips_that_cannot_be_read_are_absent(store: Store, damage: str):
    report = ReportRecord("digest", "text", {"leaderboard.md": "sha256"}, "out")
    store.write_report(report)
    store.write_bad_clips("one", {"a": "empty"})
    assert store.report() == report
    for path in (store.out / "report.json", store.bad_clips_path):
        path.write_bytes(damaged(path.read_bytes())[damage])
    store.bad_clips_path.write_bytes(b"" if damage == "-1" else store.bad_clips_path.read_bytes())
    assert store.report() is None or damage == "-1"
    store.write_bad_clips("two", {"b": "empty"})
    assert store.bad_clips()["clip"].tolist() == ["b"]


def test_a_finished_run_that_lacks_results_says_so(store: Store):
    store.append(RESULT)
    record = dataclasses.replace(RECORD, cells=("k1", "k2"))
    store.write_run(record)
    assert store.planned() == [RESULT]
    store.write_run(dataclasses.replace(record, finished=True))
    with pytest.raises(UsageError, match=r"results.jsonl: lacks 1 of the 2 cells of its run; run the same"):
        store.planned()


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path, order = tmp_path / "a.txt", []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (order.append(path.exists()), fsync(number)))
    files.replace_text(path, "new")
    assert order == [False, True], "the file before it is renamed, its folder afterwards"
    monkeypatch.setattr(files, "sync", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        files.replace_text(path, "other")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "new"


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
    assert len({fingerprint(item) for item in (table, *others)}) == 8


def test_a_line_has_the_fields_of_the_schema(store: Store):
    store.append(RESULT)
    line = json.loads(store.results_path.read_text())
    documented = (
        "schema key dataset task extractor view head seed split status reason scores n_train n_test n_classes"
    )
    more = {"synthetic", "preprocess", "augmentation", "n_bad", "tuned", "inner", "chosen", "cost", "env"}
    more |= {
        "layers",
        "obstacle",
        "is_tuned",
        "n_groups",
        "normalise",
        "train_size",
        "predictions",
        "split_digest",
        "permutations",
        "seal",
    }
    assert set(documented.split()) | more == set(line)
    assert line["schema"] == SCHEMA
    cost = "audio_s extract_s extract_cpu_s threads fit_s predict_s cpu_s dim params"
    assert set(line["cost"]) == {*cost.split(), "peak_mb", "gpu_mb", "energy_wh", "seal"}
    assert set(line["scores"][0]) == {"metric", "level", "value", "low", "high", "folds", "unbounded"}
    assert line["view"] == {"layer": "last", "pool": "mean+std"}
    split = {"protocol": "cv:5", "group": "speaker", "leaky": False, "permuted": False, "repeat": 0}
    assert line["split"] == split
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
        ('"x"', "results.jsonl:2: .*no JSON object.*remove the line"),
        ("[]", "results.jsonl:2: .*no JSON object.*remove the line"),
        ("[" * 100_000, "results.jsonl:2: .*nested too deeply.*remove the line"),
        ('{"a": 1e999}', "results.jsonl:2: .*out of range.*remove the line"),
        ('{"a": NaN}', "results.jsonl:2: .*invalid.*remove the line"),
        ('"b\xe9"', "results.jsonl:2: .*utf-?8.*remove the line"),
        ("{}", "results.jsonl:2: .*'schema'.*remove the line"),
        ('{"schema": "4"}', "results.jsonl:2: .*remove the line"),
        ('{"schema": 1}', "results.jsonl:2: .*remove the line"),
        (json.dumps({"schema": SCHEMA + 1}), f"results.jsonl:2: schema {SCHEMA + 1}, newer than {SCHEMA}"),
    ],
)
def test_a_damaged_or_newer_line_is_named(store: Store, line: str, message: str):
    store.append(RESULT)
    with store.results_path.open("a", encoding="latin-1") as file:
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
    store.write_run(RECORD)
    store.write_run(dataclasses.replace(RECORD, finished=True))
    request = dataclasses.replace(RECORD.request, jobs=1)
    assert store.run() == dataclasses.replace(RECORD, finished=True, request=request)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no JSON"),
        (b"b\xe9", "no JSON .*can't decode"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"schema": 2, "schema": 2}', "key 'schema' is there twice"),
        (b"null", "no run record"),
        (b'{"schema": "2"}', "no run record"),
    ],
)
def test_a_record_that_cannot_be_read_is_one_line(store: Store, content: bytes, message: str):
    store.run_path.write_bytes(content)
    with pytest.raises(UsageError, match=rf"run.json: .*{message}.*run the same command again$"):
        store.run()


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
