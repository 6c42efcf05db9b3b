"""Groups by default: the strictest that the data name, what is drawn from them, and what gives way."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import display, splits
from bench.datasets.columns import strict_groups
from bench.errors import UsageError
from bench.store import Store, schema
from bench.types import Dataset, GroupObstacle, Task

MADE = Task("phrase", "phrase", strict_groups("phrase"), ("accuracy",))
NOISE = Task("noise", "noise", ("recording",), ("accuracy",), stricter=("speaker", "session"))
CHEAP = ("--extractors", "mfcc-13", "--heads", "logreg")


def clips(n_speakers: int = 6, n_sessions: int = 4, *, nested: bool = True) -> list[dict[str, str]]:
    """Return two clips per speaker, session and phrase; unless nested, speakers share sessions."""
    return [
        {
            "phrase": phrase,
            "noise": "noisy" if number else "clean",
            "speaker": f"s{speaker}",
            "session": f"s{speaker}-{session}" if nested else f"{session}",
            "recording": f"{speaker}-{session}-{phrase}-{number}",
        }
        for speaker in range(n_speakers)
        for session in range(n_sessions)
        for phrase in "ab"
        for number in range(2)
    ]


def without(rows: list[dict[str, str]], *names: str) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def shared(dataset: Dataset, column: str, fold: np.ndarray) -> set[str]:
    """Return the values of a column that several folds have."""
    n_folds = pd.Series(fold).groupby(dataset.table[column].to_numpy()).nunique()
    return set(n_folds.index[n_folds > 1])


@pytest.mark.parametrize("names", [(), ("session",), ("session", "recording")])
def test_a_label_column_of_ones_own_keeps_speakers_apart(dataset_of, names: tuple[str, ...]):
    rows = without(clips(), *names)
    dataset = dataset_of([{"recording": f"r{number}", **row} for number, row in enumerate(rows)])
    split = splits.make(dataset, MADE, "")
    assert (split.group, split.obstacles) == ("speaker", ())
    assert not shared(dataset, "speaker", split.fold)


def test_sessions_numbered_within_speakers_do_not_put_a_speaker_on_both_sides(dataset_of):
    dataset = dataset_of(clips(nested=False))
    split = splits.make(dataset, MADE, "")
    assert list(split.groups) == ["speaker", "recording"]
    assert not shared(dataset, "speaker", split.fold)
    assert split.obstacles == (GroupObstacle(("speaker", "session"), "few groups", 1, 2),)


def test_what_gives_way_is_data_and_its_words_are_made_by_the_report(dataset_of):
    rows = [{**row, "phrase": row["speaker"]} for row in clips(4)]
    split = splits.make(dataset_of(rows), MADE, "")
    examples = ("s0", "s1", "s2", "s3")
    assert split.group == "session"
    assert split.obstacles == (GroupObstacle(("speaker",), "single group", 4, 4, examples),)
    assert display.obstacle(split.obstacles[0]) == (
        "speaker: 4 of 4 classes have a single speaker (s0, s1, s2, s3)"
    )


@pytest.mark.parametrize(
    ("target", "groups"),
    [
        ("phrase", ("speaker", "session", "recording")),
        ("speaker", ("session", "recording")),
        ("Client-ID", ("session", "recording")),
        ("session_id", ("speaker", "recording")),
    ],
)
def test_a_target_is_not_its_own_group(target: str, groups: tuple[str, ...]):
    assert strict_groups(target) == groups


def test_noise_keeps_speakers_apart_where_it_can_and_says_so_where_it_cannot(dataset_of):
    dataset = dataset_of(clips())
    split = splits.make(dataset, NOISE, "")
    assert (split.group, split.obstacles) == ("speaker", ())
    folds = np.where(dataset.table["recording"].str.endswith("0"), "a", "b")
    rows = [{**row, "fold": fold} for row, fold in zip(clips(), folds, strict=True)]
    for row in rows:  # a recording holds clips of both labels
        row["recording"] = row["recording"].removesuffix("-0").removesuffix("-1") + row["fold"]
        row["noise"] = "noisy" if row["phrase"] == "a" else "clean"
    listed = splits.make(dataset_of(rows), NOISE, "")
    assert listed.group == "recording"
    assert [(item.columns, item.kind) for item in listed.obstacles] == [
        (("speaker",), "leak"),
        (("session",), "leak"),
    ]
    gaps = dataset_of(
        [{**row, "speaker": "" if row["speaker"] == "s0" else row["speaker"]} for row in clips()]
    )
    partly = splits.make(gaps, NOISE, "")
    assert (partly.group, partly.obstacles) == (
        "session",
        (GroupObstacle(("speaker",), "incomplete", 16, 96),),
    )


def table(path: Path, digits: Path, **columns: Callable[[pd.DataFrame], object]) -> str:
    frame = pd.read_csv(digits, dtype=str, keep_default_na=False)
    frame = frame.rename(columns={"session": "phrase"}).assign(**columns)
    frame.to_csv(path, index=False)
    return path.name


def test_own_phrases_are_scored_as_the_task_phrase(bench, digits: Path, tmp_path: Path):
    name = table(tmp_path / "own.csv", digits)
    by_target = bench("run", "--datasets", name, "--task-target", "phrase", "--out", "own", *CHEAP)
    assert by_target.exit_code == 0
    assert "warning" not in by_target.stderr
    bench("run", "--datasets", name, "--tasks", "phrase", "--out", "task", *CHEAP)
    scores = [
        {result.head: result.score("accuracy") for result in Store(tmp_path / out).planned()}
        for out in ("own", "task")
    ]
    assert scores[0]["logreg"].value == scores[1]["logreg"].value
    assert "Drawn: 6 speakers; intervals are for new speakers." in by_target.stdout


def test_the_table_says_that_the_speakers_are_always_the_same(bench, digits: Path, tmp_path: Path):
    name = table(tmp_path / "own.csv", digits)
    done = bench("run", "--datasets", name, "--tasks", "speaker", *CHEAP)
    assert (
        "Drawn: 48 recordings of 6 speakers; intervals are for new recordings of these speakers."
        in done.stdout
    )
    protocol = Store(tmp_path / "bench-out").run().tables[0]
    assert protocol.sampling_units == (("recording", 48), ("speaker", 6))
    assert not protocol.fallbacks, "data without sessions have none to keep apart"


def test_listed_folds_that_leak_speakers_are_refused_with_both_commands(bench, digits: Path, tmp_path: Path):
    name = table(tmp_path / "own.csv", digits, fold=lambda t: np.where(t.index % 2, "Test", "TRAIN"))
    done = bench("run", "--datasets", name, "--task-target", "phrase", *CHEAP)
    assert done.exit_code == 1
    commands = [
        "--task-target phrase --task-group speaker --split cv:5",
        "--task-target phrase --task-group recording",
    ]
    assert f"or choose what to keep apart: {', or '.join(commands)}" in done.stderr
    for command in commands:
        assert bench("run", "--datasets", name, *command.split(), *CHEAP).exit_code == 0


def test_clips_without_a_speaker_are_refused_with_the_other_command(bench, digits: Path, tmp_path: Path):
    name = table(tmp_path / "own.csv", digits, speaker=lambda t: t.speaker.replace("theo", ""))
    done = bench("run", "--datasets", name, "--task-target", "phrase", *CHEAP)
    assert done.exit_code == 2
    assert "column 'speaker' is empty" in done.stderr
    assert "or choose what to keep apart: --task-target phrase --task-group recording" in done.stderr


def test_a_fallback_ends_the_run_with_a_line_and_a_strict_run_with_1(bench, digits: Path, tmp_path: Path):
    name = table(tmp_path / "own.csv", digits, phrase=lambda t: t.speaker)
    call = ("run", "--datasets", name, "--task-target", "phrase", *CHEAP)
    lax, strict = bench(*call), bench(*call, "--strict")
    line = (
        "warning: phrase on own: grouped by recording, since speaker: 6 of 6 classes have a single speaker "
        "(george, jackson, lucas, nicolas, theo and 1 more)"
    )
    assert line in lax.stderr
    assert line in strict.stderr
    assert (lax.exit_code, strict.exit_code) == (0, 1)
    chosen = bench(*call, "--strict", "--task-group", "recording")
    assert (chosen.exit_code, "warning" in chosen.stderr) == (0, False)


def test_records_with_sentences_are_read(bench, digits: Path, tmp_path: Path):
    name = table(tmp_path / "own.csv", digits)
    bench("run", "--datasets", name, "--tasks", "speaker", *CHEAP)
    record = json.loads((tmp_path / "bench-out" / "run.json").read_text())
    [protocol] = record["tables"]
    old = {key: value for key, value in protocol.items() if key not in {"obstacles", "sampling_units"}}
    old["remarks"] = ["Grouped by file."]
    record["datasets"]["own"]["notes"] = ["1 file left out."]
    sentences = {"note": "session: there is no such column", "fewer_folds": "4 groups are fewer than 5 folds"}
    read = schema.run_record({**record, "schema": 2, "tables": [{**old, **sentences}]}, "run.json")
    [now] = read.tables
    assert [display.obstacle(item) for item in now.obstacles] == [sentences["note"]]
    assert display.reason(now.fewer_folds) == sentences["fewer_folds"]
    assert list(map(display.note, now.remarks)) == old["remarks"]
    assert list(map(display.note, read.datasets["own"].notes)) == ["1 file left out."]
    before = schema.run_record(
        {**record, "schema": 2, "tables": [{**old, "note": "", "fewer_folds": ""}]}, "run.json"
    )
    assert (before.tables[0].obstacles, before.tables[0].fewer_folds) == ((), None)
    assert dataclasses.asdict(before.tables[0])["sampling_units"] == ()


@pytest.mark.parametrize("words", [("1", "01"), ("A", "a "), ("fold1", "Fold 01")])
def test_folds_that_are_read_as_one_are_refused(dataset_of, words: tuple[str, str]):
    rows = [{**row, "fold": words[number % 2]} for number, row in enumerate(clips())]
    with pytest.raises(UsageError, match=r"made.csv: column 'fold': the folds .* differ only in spelling"):
        splits.make(dataset_of(rows), NOISE, "")
