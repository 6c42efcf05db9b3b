"""Counts of clips that differ for a reason say the reason."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from bench import display
from bench.runner import progress
from bench.runner.events import ClipCounts, EmbeddingProgress, Planned
from bench.store import Store

COUNTS = ClipCounts(
    dataset="digits", extractor="mfcc", clips=197, hours=0.1, cached=0, same_audio=2, unreadable=1
)


def plan(**changes: object) -> Planned:
    counts = ClipCounts(**{**asdict(COUNTS), **changes})
    return Planned(to_compute=1, cached=0, not_possible=0, embeddings=(counts,), seconds=None)


def test_a_plan_says_why_fewer_clips_are_embedded():
    assert progress.summary(plan())[1] == (
        "digits: 200 clips, 197 to embed (2 hold the audio of another clip, 1 cannot be read), "
        "0.10 h of audio; cached clips: mfcc 0"
    )


@pytest.mark.parametrize(
    ("changes", "total", "reason"),
    [
        ({}, 197, ", of 200: 2 hold the audio of another clip, 1 cannot be read"),
        ({"cached": 7, "unreadable": 0}, 190, ", of 199: 2 hold the audio of another clip, 7 in the cache"),
        ({"same_audio": 0, "unreadable": 0}, 197, ""),
        ({}, 394, ""),  # with a changed copy of every clip
    ],
)
def test_progress_says_why_fewer_clips_are_embedded(changes: dict, total: int, reason: str, capsys):
    with progress.rendering(plain=True) as events:
        events.planned(plan(**changes))
        events.embedded("digits", "mfcc", total, total, 30.0)
        embedding = EmbeddingProgress(events, "others", "mfcc", 5)
        embedding(5, 1.0)
    lines = capsys.readouterr().err.splitlines()
    assert f"mfcc on digits: {total} of {total} clips, 30 x real time{reason}" in lines
    assert lines[-1].endswith("x real time")


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((1,), "1 holds the audio of another clip"),
        ((0, 2, 3), "2 cannot be read, 3 in the cache"),
        ((0,), ""),
    ],
)
def test_reasons_are_words_of_numbers(counts: tuple[int, ...], text: str):
    assert display.fewer_clips(*counts) == text


def test_clips_with_the_same_audio_are_counted_in_record_and_report(bench, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits)
    copies = table.iloc[:2].copy()
    for row, path in copies["path"].items():
        copies.loc[row, "path"] = str(shutil.copy(path, tmp_path / f"copy{row}.wav"))
    pd.concat([table, copies]).to_csv(tmp_path / "more.csv", index=False)
    words = ["--datasets", "more.csv", "--tasks", "speaker", "--extractors", "mfcc-13", "--heads", "lda"]
    reason = "2 hold the audio of another clip"
    assert "same_audio" in bench("run", *words, "--dry-run").stdout
    done = bench("run", *words, "--plain")
    assert done.exit_code == 0, done.stderr
    assert f"more: 50 clips, 48 to embed ({reason})" in done.stderr
    assert f"x real time, of 50: {reason}" in done.stderr
    embedded = bench("embed", "more.csv", "--extractors", "logmel", "--out", "e.npz", "--plain")
    assert "48 of 48 clips, " in embedded.stderr
    assert f"x real time, of 50: {reason}" in embedded.stderr
    assert "50 rows" in embedded.stdout
    record = Store(tmp_path / "bench-out").run()
    assert (record.datasets["more"].n_clips, record.datasets["more"].n_same_audio) == (50, 2)
    assert record.counters.clips_embedded == 48
    report = (tmp_path / "bench-out" / "leaderboard.md").read_text(encoding="utf-8")
    assert f"48 of 50 clips are embedded: {reason}. All are scored." in report
    assert bench("audit", "bench-out").exit_code == 0
    earlier = json.loads((tmp_path / "bench-out" / "run.json").read_text(encoding="utf-8"))
    del earlier["datasets"]["more"]["n_same_audio"]
    (tmp_path / "bench-out" / "run.json").write_text(json.dumps(earlier), encoding="utf-8")
    assert Store(tmp_path / "bench-out").run().datasets["more"].n_same_audio is None
