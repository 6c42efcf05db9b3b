"""What leaves a machine names none of its folders; what stays names them whole."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from bench.runner import trackers
from bench.store import Store
from bench.types import Result

PLUGIN = """
from pathlib import Path
from bench.extractors.mfcc import Mfcc

class Whole(Mfcc):
    def __init__(self):
        super().__init__(13)

class Broken(Whole):
    def embed(self, audio):
        raise ValueError(f"{Path(__file__).with_name('weights.bin')} has 3 of 4 layers")
"""

USER = "zebulon"
"""Name of a user, and of the folders that are hers."""


@pytest.fixture
def out(
    take: Callable[..., Path], bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, str]]:
    """Return the folder of a run with a failed cell and bundles, and the text on the terminal."""
    home = tmp_path / "elsewhere" / USER
    for folder in ("audio", "tables", "plugins"):
        (home / folder).mkdir(parents=True)
    rows = [
        {"path": f"{home}/audio/{name}{digit}{number}.wav", "speaker": name, "session": digit}
        for name in ("george", "theo")
        for digit in range(4)
        for number in range(2)
    ]
    for row in rows:
        speaker, digit, number = row["speaker"], int(row["path"][-6]), int(row["path"][-5])
        shutil.copy(take(speaker, digit, number), row["path"])
    pd.DataFrame(rows).to_csv(home / "tables" / "digits.csv", index=False)
    (home / "tables" / "left out.wav").touch()
    (home / "plugins" / "mine.py").write_text(PLUGIN)
    plugins = ",".join(f"{home}/plugins/mine.py:{name}" for name in ("Broken", "Whole"))
    words = ["--datasets", home / "tables" / "digits.csv", "--tasks", "speaker", "--heads", "lda"]
    call = ["run", *words, "--extractors", plugins, "--save-models", "--out", home / "out"]
    monkeypatch.setattr(sys, "argv", ["bench", *map(str, call)])
    done = bench(*call)
    assert done.exit_code == 1, done.output
    return home / "out", done.output


def contents(folder: Path) -> dict[str, str]:
    """Return path -> content of the files of a folder; of a Parquet file its values."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    tables = {path: pd.read_parquet(path) for path in files if path.suffix == ".parquet"}
    return {
        str(path): tables[path].to_json() if path in tables else path.read_bytes().decode("latin-1")
        for path in files
    }


def test_published_files_and_bundles_name_no_folder_and_the_run_names_them_whole(out, bench, tmp_path: Path):
    folder, terminal = out
    cause = f"{folder.parent}/plugins/weights.bin has 3 of 4 layers"
    assert cause in terminal
    assert any(cause in result.reason for result in Store(folder).planned())
    published = tmp_path / "published"
    call = ["report", folder, "--format", "html,json,latex,junit,model-index", "--publish", published]
    assert bench(*call).exit_code == 0
    for folder_for_others in (published, folder / "models"):
        texts = contents(folder_for_others)
        assert len(texts) >= 3
        assert [path for path, text in texts.items() if USER in text] == []
    readme = (published / "README.md").read_text()
    assert ": weights.bin has 3 of 4 layers" in readme
    assert "bench run --datasets digits.csv --tasks speaker" in readme
    for name in ("leaderboard.md", "report.html"):
        assert USER not in contents(folder).get(str(folder / name), "")


def test_a_tracker_is_told_no_folder(out):
    folder, _ = out
    reasons = []

    class Service:
        def finished(self, result: Result) -> None:
            reasons.append(result.reason)

    services = trackers.Trackers({"service": Service()}).without(Store(folder).run().folders)
    for result in Store(folder).planned():
        services.finished(result)
    assert any("weights.bin has 3 of 4 layers" in reason for reason in reasons)
    assert not any(USER in reason for reason in reasons)
