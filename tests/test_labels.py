"""Labels that are spelt in several ways, and recordings that are told by the names of files."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from bench import display
from bench.datasets import recordings, spelling
from bench.store import Store
from bench.types import Note

FAST = ("--extractors", "mfcc-13", "--heads", "logreg", "--plain")


@pytest.mark.parametrize("other", ["anna", "\u200bAnna", "Anna\0", "ANNA", "An\u00adna", "\uff21nna"])
def test_another_spelling_of_a_label_is_named_with_counts(dataset_of, other: str):
    clips = dataset_of([{"speaker": label} for label in ["Anna"] * 3 + [other] * 2 + ["Bea"]])
    [line] = map(display.note, spelling.remarks(clips, ["speaker"]))
    assert "'Anna' (3)" in line
    assert f"{other!r} (2)" in line
    assert "Bea" not in line


def test_other_labels_are_not_named(dataset_of):
    assert (
        spelling.remarks(dataset_of([{"speaker": label} for label in ("a b", "ab", "a-b", "")]), ["speaker"])
        == []
    )


def test_a_card_merges_spellings_and_nothing_else_does(digits: Path, bench, tmp_path: Path):
    table = pd.read_csv(digits, dtype=str)
    table.loc[table["session"] == "0", "speaker"] += "\0"
    table.to_parquet(tmp_path / "odd.parquet", index=False)
    names = sorted(set(table["speaker"].str.rstrip("\0")))
    merged = ", ".join(f'"{name}\\u0000" = "{name}"' for name in names)
    (tmp_path / "one.toml").write_text(
        'kind = "path"\nversion = "1"\nabout = "One spelling"\n[params]\npath = "odd.parquet"\n'
        f"values = {{ speaker = {{ {merged} }} }}\n"
    )
    check = bench("data", "check", "odd.parquet").stdout
    assert "Labels of speaker that differ only in spelling: 'george' (6), 'george\\x00' (2)" in check
    run = bench("run", "--datasets", "odd.parquet", "--tasks", "gender", *FAST, "--out", "odd")
    assert "differ only in spelling" in run.stdout
    run = bench("run", "--datasets", "one.toml", "--tasks", "gender", *FAST, "--out", "one")
    assert "differ only in spelling" not in run.stdout
    assert len(set(Store(tmp_path / "one").split("one", "gender")["group speaker"])) == 6


@pytest.fixture
def pieces(take, tmp_path: Path) -> Path:
    """Return class folders of the pieces of six recordings, four each."""
    for label, speakers in {
        "a": ("george", "jackson", "lucas"),
        "b": ("theo", "nicolas", "yweweler"),
    }.items():
        (tmp_path / "pieces" / label).mkdir(parents=True)
        for speaker in speakers:
            for number in range(4):
                name = f"{speaker}_{number + 1:03}.wav"
                shutil.copy(take(speaker, number, 0), tmp_path / "pieces" / label / name)
    return tmp_path / "pieces"


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "pattern", ["(.+)_[0-9]+", r"(?P<recording>[a-z]+)_\d+\.wav$", r"([^/]+)_00(?P<nr>\d)"]
)
def test_pieces_of_a_recording_stay_together(pieces: Path, bench, tmp_path: Path, pattern: str):
    run = bench("run", "--datasets", pieces, *FAST, "--out", "out", "--parent-pattern", pattern)
    assert "every file counts" not in run.stdout
    folds = Store(tmp_path / "out").split("pieces", "class")
    if "nr" in pattern:
        assert set(folds["group recording"]) == {"1", "2", "3", "4"}, "the only named group counts"
    else:
        assert len(set(folds["group recording"])) == 6
    assert folds.drop_duplicates(["group recording", "fold"])["group recording"].is_unique


def test_files_count_as_recordings_and_pieces_get_a_hint(pieces: Path, bench):
    hint = "look like pieces of 6 recordings, which folds may tear apart; `--parent-pattern '(.+)_[0-9]+'`"
    assert hint in bench("run", "--datasets", pieces, *FAST).stdout
    check = bench("data", "check", pieces).stdout
    assert "every file counts as a recording of its own" in check
    assert hint in check


@pytest.mark.parametrize("names", [["a.wav", "b.wav"], [f"{n}_1.wav" for n in "abcd"], ["a_1.wav", *"bcdef"]])
def test_other_names_are_no_pieces(dataset_of, names: list[str]):
    clips = dataset_of([{"path": name} for name in names])
    assert recordings.remark(clips) == Note("files")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "is no regular expression"),
        ("x", "has no group"),
        ("(zz)", "no file matches '(zz)'; its files are a/"),
    ],
)
def test_a_pattern_that_finds_no_recording_is_refused(pieces: Path, bench, pattern: str, message: str):
    run = bench("run", "--datasets", pieces, *FAST, "--parent-pattern", pattern)
    assert run.exit_code == 2
    assert message in run.stderr


def test_a_pattern_beside_a_column_recording_is_refused(digits: Path, bench):
    pd.read_csv(digits, dtype=str).assign(recording="one").to_csv(digits, index=False)
    run = bench("run", "--datasets", digits, *FAST, "--parent-pattern", "(.)")
    assert run.exit_code == 2
    assert "has a column 'recording' already" in run.stderr
