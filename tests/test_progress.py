"""What is shown during a run: bars, lines, JSON; and who is sent results besides."""

import json
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from bench.errors import UsageError
from bench.runner import progress, trackers
from bench.runner.estimate import Forecast
from bench.runner.trackers import Trackers
from bench.types import Cost, Result, Score, Status

NAMES = ("key", "digits", "speaker", "mfcc", "mean+std", "svm", 0, "cv:5")
DONE = Result(
    *NAMES,
    Status.OK,
    scores={"accuracy": Score(0.9, 0.8, 0.95), "f1 (macro)": Score(0.5)},
    n_test=100,
    cost=Cost(audio_s=50.0, extract_s=2.0, fit_s=3.0, predict_s=1.0),
)
FAILED = Result(*NAMES, Status.FAILED, reason="no memory")
PLAN = {
    "todo": 3,
    "there": 1,
    "impossible": 2,
    "embeddings": [
        {"data set": "digits", "extractor": "mfcc", "clips": 48, "hours": "0.10", "kept": 12},
        {"data set": "digits", "extractor": "logmel", "clips": 48, "hours": "0.10", "kept": 0},
    ],
    "seconds": 300.0,
}


def test_the_plan_is_told_in_words():
    assert progress.summary(PLAN) == [
        "cells: 3 to compute, 1 there, 2 impossible; about 5 min of work",
        "digits: 48 clips, 0.10 h of audio; embedded already: mfcc 12, logmel 0",
    ]
    assert progress.summary({**PLAN, "seconds": None})[0].endswith("not known yet")
    assert progress.summary({**PLAN, "todo": 0}) == ["cells: 0 to compute, 1 there, 2 impossible"]


def play(watcher: progress.Watcher) -> None:
    watcher.planned(PLAN)
    watcher.embedded("digits", "mfcc", 10, 48, 30.0)
    watcher.embedded("digits", "mfcc", 20, 48, 31.0)
    watcher.embedded("digits", "mfcc", 48, 48, 32.0)
    watcher.expected(200.0)
    watcher.finished(DONE, 2, 4)
    watcher.expected(None)
    watcher.finished(FAILED, 3, 4)
    watcher.finished(FAILED, 4, 4)
    watcher.downloaded("corpus", 5_000_000, 0)


def test_plain_lines(capsys: pytest.CaptureFixture[str]):
    with progress.observer(plain=True) as watcher:
        play(watcher)
    lines = capsys.readouterr().err.splitlines()
    assert lines[2:] == [
        "mfcc on digits: 10 of 48 clips, 30 x real time",
        "mfcc on digits: 48 of 48 clips, 32 x real time",
        "[2/4] ok: digits, speaker, mfcc, svm: accuracy 0.900; about 3 min left",
        "[3/4] failed: digits, speaker, mfcc, svm: no memory",
        "[4/4] failed: digits, speaker, mfcc, svm: no memory",
        "corpus: 5 of 0 MB",
    ]


def test_lines_are_what_ci_gets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    with progress.observer() as watcher:
        assert isinstance(watcher, progress.Lines)
    monkeypatch.delenv("CI")
    with progress.observer() as watcher:
        assert isinstance(watcher, progress.Bars)


def test_json_lines(capsys: pytest.CaptureFixture[str]):
    with progress.observer(log_json=True) as watcher:
        play(watcher)
        watcher.say("stopping")
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    names = ["planned", *["embedded"] * 3, "expected", "finished", "expected", *["finished"] * 2]
    assert [each["event"] for each in events] == [*names, "downloaded", "said"]
    assert events[0]["todo"] == 3
    assert events[5]["scores"] == {"accuracy": 0.9, "f1 (macro)": 0.5}
    assert events[7]["reason"] == "no memory"


def test_bars_count_failures_and_tell_each_reason_once():
    console = Console(file=sys.stderr, width=120, record=True)
    with Progress(TextColumn("{task.description}"), console=console, disable=True) as bars:
        watcher = progress.Bars(bars, Trackers({}))
        play(watcher)
        shown = [task.description for task in bars.tasks]
    assert shown == ["mfcc on digits: clips, 32 x real time", "cells, 2 failed", "corpus: MB"]
    assert console.export_text().count("no memory") == 1


def test_a_forecast_is_by_what_such_work_took():
    forecast = Forecast([DONE])
    assert forecast.left() == 0
    forecast.ask(("extractor", "mfcc"), 100.0)
    assert forecast.left() == pytest.approx(4.0)
    forecast.ask(("head", "svm"), 50)
    assert forecast.left() == pytest.approx(6.0)
    forecast.ask(("head", "new"), 50)  # as fast as the others
    assert forecast.left() == pytest.approx(8.0)
    forecast.done(("extractor", "mfcc"), 100.0, 16.0)
    assert forecast.left() == pytest.approx(4.0)
    forecast.ask(("extractor", "mfcc"), 50.0)
    assert forecast.left() == pytest.approx(4.0 + 50 * 18 / 150)


def test_nobody_knows_what_was_never_done():
    forecast = Forecast()
    forecast.ask(("head", "svm"), 50)
    assert forecast.left() is None
    forecast.done(("head", "svm"), 25, 1.0)
    assert forecast.left() == pytest.approx(1.0)


def test_who_refuses_a_result_is_sent_no_more(capsys: pytest.CaptureFixture[str]):
    class Refuses:
        def finished(self, result: Result) -> None:
            raise OSError("connection\nrefused")

    class Takes:
        def __init__(self) -> None:
            self.taken: list[Result] = []

        def finished(self, result: Result) -> None:
            self.taken.append(result)

    takes = Takes()
    with progress.observer(plain=True, trackers=Trackers({"mlflow": Refuses(), "own": takes})) as watcher:
        watcher.finished(DONE, 1, 2)
        watcher.finished(FAILED, 2, 2)
    told = capsys.readouterr().err
    assert told.count("--track mlflow: is sent no more results (OSError: connection refused)") == 1
    assert takes.taken == [DONE, FAILED]


def test_an_unknown_tracker_and_one_that_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match="--track excel: is unknown; expected mlflow, tensorboard, wandb"):
        trackers.opened(["excel"])
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(
        UsageError, match=r'--track mlflow: run: pip install "audio-embedding-bench\[mlflow\]"'
    ):
        trackers.opened(["mlflow"])


def test_mlflow_has_every_cell_with_its_scores_and_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    folder = f"{tmp_path / 'runs'}"
    for _ in range(2):  # the experiment may be there already
        sent = trackers.opened([f"mlflow:{folder}"])
    assert sent.finished(DONE) == []
    assert sent.finished(FAILED) == []
    client = mlflow.MlflowClient(tracking_uri=folder)
    experiment = client.get_experiment_by_name("audio-embedding-bench")
    found = {run.info.status: run.data for run in client.search_runs([experiment.experiment_id])}
    done = found["FINISHED"]
    assert done.params["extractor"] == "mfcc"
    assert done.metrics["accuracy_low"] == 0.8
    assert done.metrics["f1  macro "] == 0.5
    assert done.metrics["cost_fit_s"] == 3.0
    assert found["FAILED"].tags["reason"] == "no memory"
    assert not found["FAILED"].metrics


def test_mlflow_that_cannot_be_opened_is_told_before_any_work(tmp_path: Path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(UsageError, match=r"--track mlflow:.*: MlflowException: "):
        trackers.opened([f"mlflow:{tmp_path / 'runs'}"])


def test_tensorboard_has_a_folder_of_events_per_cell(tmp_path: Path):
    pytest.importorskip("tensorboardX")
    sent = trackers.opened([f"tensorboard:{tmp_path / 'events'}"])
    assert sent.finished(DONE) == []
    assert sent.finished(FAILED) == []
    [folder] = (tmp_path / "events").iterdir()
    assert folder.name == "key"
    written = b"".join(path.read_bytes() for path in folder.rglob("*tfevents*"))
    assert b"accuracy_low" in written
    assert b"mfcc" in written


def test_wandb_is_given_the_cell_and_its_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert trackers.opened(["wandb:project"]).finished(DONE) == []
    assert list(tmp_path.glob("wandb/offline-run-*"))
