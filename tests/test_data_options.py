"""The options of a data set mean the same for every verb."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

PATTERN = ("--parent-pattern", r"(.+)_[0-9]+")


@pytest.fixture
def pieces(take: Callable[..., Path], tmp_path: Path) -> Path:
    """Return class folders with four recordings of two pieces each."""
    for speaker in ("george", "theo"):
        (tmp_path / "pieces" / speaker).mkdir(parents=True)
        for digit in range(4):
            for number in range(2):
                name = tmp_path / "pieces" / speaker / f"{speaker}{digit}_{number}.wav"
                name.symlink_to(take(speaker, digit, number))
    return tmp_path / "pieces"


def test_check_and_split_take_the_pattern_of_recordings(pieces: Path, bench, tmp_path: Path):
    assert "(16 groups)" in bench("data", "check", pieces).stdout
    assert "(8 groups)" in bench("data", "check", pieces, *PATTERN).stdout
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "tasks.toml").write_text(
        '[voice]\ntarget = "voice"\ngroups = ["recording"]\nmetrics = ["accuracy"]\n'
    )
    done = bench("data", "split", pieces, "--task", "voice", "--split", "cv:2", "--out", "s.csv", *PATTERN)
    assert done.exit_code == 0, done.output
    table = pd.read_csv("s.csv")
    folds = table.groupby(table["clip"].str.rpartition("_")[0])["fold"].nunique()
    assert folds.tolist() == [1] * 8


@pytest.mark.parametrize("verb", [["check"], ["split", "--task", "class", "--out", "s.csv"]])
def test_a_folder_for_another_data_set_is_refused(pieces: Path, bench, verb: list[str]):
    done = bench("data", *verb[:1], pieces, *verb[1:], "--audio", f"other={pieces}")
    assert done.exit_code == 2
    assert "--audio other=...: is no data set of this run (pieces)" in done.stderr
