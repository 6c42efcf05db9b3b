"""An audit compares values: neither new words nor the fields that an earlier release lacks are tampering."""

import inspect
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from bench import cli, display, paths, runner
from bench.embed.cache import Cache
from bench.runner import Audit
from bench.store import Store, schema
from bench.types import Status

WORDS = ["run", "--datasets", "clips.csv", "--tasks", "gender,speaker", "--split", "cv:2", "--tune"]
WORDS += ["--extractors", "mfcc-13,mfcc-13@pool=none", "--heads", "logreg", "--out", "out"]

LATER = ("sampling_units", "n_near_copies", "repeats", "remarks")
"""Fields of a table that came after schema 2 of run.json."""


@pytest.fixture(scope="module")
def original(take: Callable[[str, int, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run with notes of its data, remarks of its tables, and cells that cannot be computed."""
    folder = tmp_path_factory.mktemp("run")
    speakers = ("george", "jackson", "lucas", "theo")
    rows = [
        {"path": f"{speaker}{digit}.wav", "speaker": speaker, "gender": gender, "emotionn": str(digit)}
        for speaker, gender in zip(speakers, "mmff", strict=True)
        for digit in range(3)
    ]
    for row in rows:
        name = str(row["path"])
        shutil.copy(take(name[:-5], int(name[-5]), 0), folder / name)
    shutil.copy(take("theo", 3, 0), folder / "left_out.wav")
    rows[0]["speaker"] = "George"  # another spelling of one that is there
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        done = CliRunner().invoke(cli.main, WORDS)
        assert done.exit_code == 1, done.output  # the task speaker has no split
    return folder


def audit(store: Store) -> Audit:
    """Return the audit of results, record and data, without the words of the report."""
    return runner.audit(store, paths.home(), Cache(paths.cache_root()))


def test_other_words_for_notes_and_obstacles_are_no_difference(copy: Store, monkeypatch):
    record, results = copy.run(), copy.results().values()
    kinds = {note.kind for note in record.datasets["clips"].notes}
    kinds |= {note.kind for table in record.tables for note in table.remarks}
    assert kinds == {"left out", "near name", "spellings"}
    assert {result.obstacle.kind for result in results if result.obstacle} == {"sees vectors", "split"}
    functions = inspect.getmembers(display, inspect.isfunction)
    for name in [name for name, function in functions if function.__module__.startswith(display.__name__)]:
        monkeypatch.setattr(display, name, lambda *values: "other words")
    outcome = audit(copy)
    assert (outcome.differences, outcome.unchecked) == ((), ())


def as_schema_4(line: str) -> str:
    """Return a line as the release before wrote it."""
    fields, _ = schema.unseal(line)
    if fields.pop("is_tuned"):
        fields["head"] += " (tuned)"
    if fields.pop("obstacle"):
        fields["reason"] = "words of that release"
    for name in ("normalise", "inner", "chosen", "permutations"):
        del fields[name]
    for score in fields["scores"]:
        del score["unbounded"]
    return schema.seal({**fields, "schema": 4})


def make_earlier(store: Store, number: int) -> None:
    """Write a folder's lines as schema 4, and its record as an earlier schema."""
    lines = store.results_path.read_text().splitlines()
    store.results_path.write_text("".join(as_schema_4(line) + "\n" for line in lines))
    record: dict[str, Any] = json.loads(store.run_path.read_text())
    record["identities"] = {
        name.replace("@tuned", " (tuned)"): identity for name, identity in record["identities"].items()
    }
    for dataset in record["datasets"].values():
        dataset["notes"] = ["A sentence of that release."]
    for table in record["tables"]:
        table["remarks"] = ["A sentence of that release."]
        if number < 3:
            table |= {"note": "words of that release", "fewer_folds": ""}
            for name in ("obstacles", *LATER):
                del table[name]
    store.run_path.write_text(json.dumps({**record, "schema": number}))


@pytest.mark.parametrize(("number", "fields"), [(2, "notes"), (3, "notes, remarks")])
def test_a_folder_of_an_earlier_release_is_compared_in_what_it_holds(copy: Store, number: int, fields: str):
    systems = [result.system for result in copy.planned()]
    make_earlier(copy, number)
    assert [result.system for result in copy.planned()] == systems
    outcome = audit(copy)
    reason = "they are sentences of an earlier release"
    assert outcome.differences == ()
    assert outcome.unchecked == (f"{copy.run_path}: {fields}: not checked, since {reason}",)
    assert "words of that release" in {display.cause(result) for result in copy.planned()}


def test_what_an_earlier_release_holds_is_compared(copy: Store):
    make_earlier(copy, 2)
    record = json.loads(copy.run_path.read_text())
    record["tables"][0]["n_groups"] = 400
    copy.run_path.write_text(json.dumps(record))
    lines = [schema.unseal(line)[0] for line in copy.results_path.read_text().splitlines()]
    [line] = [line for line in lines if (line["status"], line["head"]) == (Status.OK, "logreg")]
    line["n_test"] = 400
    copy.results_path.write_text("".join(schema.seal(fields) + "\n" for fields in lines))
    differences = audit(copy).differences
    assert len(differences) == 2
    assert "n_test is 400" in differences[0]
    assert "n_groups of gender on clips" in differences[1]


def test_a_record_that_is_older_than_its_results_is_a_difference(copy: Store):
    record = json.loads(copy.run_path.read_text())
    for part in (*record["datasets"].values(), *record["tables"]):
        part.pop("notes", None)
        part.pop("remarks", None)
    copy.run_path.write_text(json.dumps({**record, "schema": 3}))
    assert any("earlier release than the results" in line for line in audit(copy).differences)
