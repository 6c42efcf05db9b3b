import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile


@pytest.fixture
def odd(digits: Path, tmp_path: Path) -> Path:
    """Return a manifest of real digits with one of every defect."""
    table = pd.read_csv(digits, dtype=str)
    samples, rate = soundfile.read(table["path"][0])
    shutil.copy(table["path"][1], tmp_path / "copy.wav")
    soundfile.write(tmp_path / "same.flac", soundfile.read(table["path"][1], dtype="int16")[0], rate)
    soundfile.write(tmp_path / "clipped.wav", np.clip(40 * samples, -1, 1), rate)
    soundfile.write(tmp_path / "silent.wav", samples * 1e-4, rate)
    soundfile.write(tmp_path / "stereo.wav", np.stack([samples, samples], axis=1), 44100)
    (tmp_path / "text.wav").write_text("hello")
    names = ["copy.wav", "same.flac", "clipped.wav", "silent.wav", "stereo.wav", "text.wav", "gone.wav"]
    table.loc[range(2, 9), "path"] = names
    table.loc[40, "gender"] = ""
    table.assign(clip=[f"c{i}" for i in range(len(table))]).to_csv(tmp_path / "odd.csv", index=False)
    return tmp_path / "odd.csv"


def rate_of(odd: Path) -> int:
    return soundfile.info(pd.read_csv(odd)["path"][0]).samplerate


def test_everything_odd_is_found(bench, odd: Path):
    summary = json.loads(bench("data", "check", odd, "--json").stdout)
    assert summary["n_clips"] == 48
    assert summary["duplicates"] == [["c1", "c2", "c3"]], "the samples count, not the files"
    assert (summary["clipped"], summary["silent"]) == (["c4"], ["c5"])
    assert set(summary["undecodable"]) == {"c7", "c8"}
    assert "Format not recognised" in summary["undecodable"]["c7"]
    assert "no such file" in summary["undecodable"]["c8"]
    assert summary["rates"] == {str(rate_of(odd)): 45, "44100": 1}
    assert summary["channels"] == {"1": 45, "2": 1}
    assert summary["labels"]["gender"] == {"values": 2, "rarest": 16, "most_frequent": 31, "without": 1}
    assert summary["tasks"]["speaker"] == "cv:3, grouped by session (4 groups)"
    assert (
        summary["tasks"]["gender"] == "cv:5, grouped by speaker (6 groups, 1 clips without a label left out)"
    )
    assert summary["tasks"]["noise"] == "no column 'noise'"


def test_lengths_are_those_of_the_files(bench, digits: Path):
    seconds = [soundfile.info(path).duration for path in pd.read_csv(digits)["path"]]
    summary = json.loads(bench("data", "check", digits, "--json").stdout)["seconds"]
    assert summary == {
        "total": pytest.approx(sum(seconds), abs=1e-3),
        "min": pytest.approx(min(seconds), abs=1e-3),
        "median": pytest.approx(np.median(seconds), abs=1e-3),
        "max": pytest.approx(max(seconds), abs=1e-3),
    }


def test_the_tables_say_the_same(bench, odd: Path):
    text = " ".join(bench("data", "check", odd).stdout.split())
    assert "same audio 1 (c1 = c2 = c3)" in text
    rates = sorted([f"{rate_of(odd)}: 45", "44100: 1"])
    assert f"sample rates (Hz) {', '.join(rates)}" in text
    assert "clipped 1 (c4)" in text
    assert "undecodable: " in text


def test_a_dataset_that_is_not_there_is_refused(bench):
    refused = bench("data", "check", "dmo")
    assert (refused.exit_code, "did you mean 'demo'" in refused.stderr) == (2, True)
