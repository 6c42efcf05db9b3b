"""Folders of audformat databases, in the form that audformat 1.4 writes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import datasets
from bench.errors import UsageError

HEADER = """name: digits
source: fsdd
usage: research
languages: [eng]
schemes:
  digit:
    dtype: str
    labels: [zero, one]
  speaker:
    dtype: str
    labels:
      george: {gender: male}
      lucas: {gender: female}
splits:
  test: {type: test}
  mine: {type: train}
tables:
  digit.test:
    type: filewise
    split_id: test
    columns:
      digit: {scheme_id: digit}
  digit.train:
    type: filewise
    split_id: mine
    columns:
      digit: {scheme_id: digit}
  files:
    type: filewise
    columns:
      speaker: {scheme_id: speaker}
"""


@pytest.fixture
def database(take: Callable[[str, int, int], Path], tmp_path: Path) -> Path:
    """Return a database of four clips: a table of speakers, and a table of digits of either split."""
    folder = tmp_path / "spoken"
    (folder / "wav").mkdir(parents=True)
    names = {}
    for speaker in ("george", "lucas"):
        for digit in range(2):
            names[speaker, digit] = f"wav/{digit}_{speaker}.wav"
            (folder / names[speaker, digit]).symlink_to(take(speaker, digit, 0))
    tables = {"digit.train": "file,digit", "digit.test": "file,digit", "files": "file,speaker"}
    for (speaker, digit), name in names.items():
        tables["digit.train" if speaker == "george" else "digit.test"] += f"\n{name},{('zero', 'one')[digit]}"
        tables["files"] += f"\n{name},{speaker}"
    for name, text in tables.items():
        (folder / f"db.{name}.csv").write_text(f"{text}\n")
    (folder / "db.yaml").write_text(HEADER)
    return folder


def test_a_database_is_its_tables_side_by_side(database: Path):
    dataset = datasets.from_path(database, "class")
    assert dataset.name == "spoken"
    columns = ["digit", "speaker", "gender", "fold"]
    assert dataset.table.sort_values("clip")[columns].to_numpy().tolist() == [
        ["zero", "george", "male", "train"],
        ["zero", "lucas", "female", "test"],
        ["one", "george", "male", "train"],
        ["one", "lucas", "female", "test"],
    ]
    assert all(Path(name).is_file() for name in dataset.table["path"])
    assert dataset.with_leftovers().notes == ()


def test_a_database_runs_by_its_folder(database: Path, bench):
    words = ["--task-target", "digit", "--extractors", "mfcc-13", "--heads", "lda"]
    done = bench("run", "--datasets", database, *words)
    assert "Split: fixed" in done.stdout, done.output


SEGMENTS = HEADER.replace("  files:\n    type: filewise", "  files:\n    type: segmented")
OTHER = "file,digit\nwav/0_george.wav,two\n"


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("db.files.csv", OTHER, r"'digit' of wav/0_george.wav is 'zero' and 'two'"),
        ("db.files.csv", "name,digit\na,two\n", r"db.files.csv: has no column 'file'"),
        ("db.yaml", SEGMENTS, "segments in files;"),
        ("db.yaml", HEADER.replace("  files:", "  none:"), "no file of table 'none'; expected db.none"),
        ("db.yaml", "tables: [", "db.yaml: cannot be read"),
        ("db.yaml", "tables: {files: {type: odd}}", "db.yaml: tables.files.type"),
    ],
)
def test_a_database_that_says_two_things_is_refused_in_one_line(database: Path, file, text, message):
    (database / file).write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        datasets.from_path(database, "class")
    assert "\n" not in str(caught.value)
