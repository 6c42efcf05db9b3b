"""What a run shows: bars, lines, JSON lines; its soft stop; and the trackers of its results."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from bench.errors import UsageError
from bench.runner import progress, trackers
from bench.runner.events import ClipCounts, EmbeddingProgress, Planned
from bench.runner.progress import Rendering
from bench.runner.trackers import NO_TRACKERS, Trackers
from bench.types import Cost, Result, Score, SplitId, Status, TaskId, View

CELL = {
    "key": "key",
    "dataset": "digits",
    "task": TaskId("speaker"),
    "extractor": "mfcc",
    "view": View(9, "mean"),
    "head": "svm",
    "seed": 0,
    "split": SplitId("cv:5", "session"),
}
DONE = Result(
    **CELL,
    status=Status.OK,
    scores=(Score("accuracy", 0.9, low=0.8, high=0.95), Score("f1 (macro)", 0.5, level="parent-vote")),
    n_test=100,
    cost=Cost(audio_s=50.0, extract_s=2.0, fit_s=3.0, predict_s=1.0),
)
FAILED = Result(**CELL, status=Status.FAILED, reason="no memory")
PLAN = Planned(
    to_compute=3,
    cached=1,
    not_possible=2,
    embeddings=(
        ClipCounts(dataset="digits", extractor="mfcc", clips=48, hours=0.1, cached=12),
        ClipCounts(dataset="digits", extractor="logmel", clips=48, hours=0.1, cached=0),
    ),
    seconds=300.0,
)


def test_a_plan_is_a_line_of_cells_and_one_per_dataset():
    assert progress.summary(PLAN) == [
        "cells: 3 to compute, 1 cached, 2 not possible; about 5 min of work",
        "digits: 48 clips, 0.10 h of audio; cached clips: mfcc 12, logmel 0",
    ]


def test_a_plan_with_nothing_to_compute_has_no_estimate():
    plan = Planned(to_compute=0, cached=1, not_possible=2, embeddings=PLAN.embeddings, seconds=0.0)
    assert progress.summary(plan) == ["cells: 0 to compute, 1 cached, 2 not possible"]


def play(events: Rendering) -> None:
    events.planned(PLAN)
    events.embedded("digits", "mfcc", 10, 48, 30.0)
    events.embedded("digits", "mfcc", 20, 48, 31.0)
    events.embedded("digits", "mfcc", 48, 48, 32.0)
    events.expected(200.0)
    events.finished(DONE, 2, 4)
    events.expected(None)
    events.finished(FAILED, 3, 4)
    events.finished(FAILED, 4, 4)
    events.downloaded("corpus", 5_000_000, 0)


def test_plain_lines(capsys: pytest.CaptureFixture[str]):
    with progress.rendering(plain=True) as events:
        play(events)
    lines = capsys.readouterr().err.splitlines()
    assert lines[2:] == [
        "mfcc on digits: 10 of 48 clips, 30 x real time",
        "mfcc on digits: 48 of 48 clips, 32 x real time",
        "[2/4] ok: speaker on digits, mfcc (layer 9, mean), svm: accuracy 0.900; about 3 min left",
        "[3/4] failed: speaker on digits, mfcc (layer 9, mean), svm: no memory",
        "[4/4] failed: speaker on digits, mfcc (layer 9, mean), svm: no memory",
        "corpus: 5 of 0 MB",
    ]


def test_lines_are_what_ci_gets(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    with progress.rendering() as events:
        assert isinstance(events, progress.Lines)
    monkeypatch.delenv("CI")
    with progress.rendering() as events:
        assert isinstance(events, progress.Bars)


def test_json_lines(capsys: pytest.CaptureFixture[str]):
    with progress.rendering(log_json=True) as events:
        play(events)
        events.message("stopping")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    names = ["planned", *["embedded"] * 3, "expected", "finished", "expected", *["finished"] * 2]
    assert [line["event"] for line in lines] == [*names, "downloaded", "message"]
    assert lines[0]["to_compute"] == 3
    assert lines[0]["embeddings"][0] == {
        "dataset": "digits",
        "extractor": "mfcc",
        "clips": 48,
        "hours": 0.1,
        "cached": 12,
        "same_audio": 0,
        "unreadable": 0,
    }
    assert lines[5]["view"] == {"layer": 9, "pool": "mean"}
    split = {"protocol": "cv:5", "group": "session", "leaky": False, "permuted": False, "repeat": 0}
    assert lines[5]["split"] == split
    assert [score.pop("unbounded") for score in lines[5]["scores"]] == ["", ""]
    assert lines[5]["scores"] == [
        {"metric": "accuracy", "value": 0.9, "level": "clip", "low": 0.8, "high": 0.95},
        {"metric": "f1 (macro)", "value": 0.5, "level": "parent-vote", "low": None, "high": None},
    ]
    assert lines[7]["reason"] == "no memory"
    page = (Path(__file__).parent.parent / "docs" / "running.md").read_text(encoding="utf-8")
    for line in lines:
        [row] = [row for row in page.splitlines() if row.startswith(f"| `{line['event']}` |")]
        for key in line.keys() - {"event"}:
            assert f"`{key}`" in row


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_for_a_stop_and_the_second_interrupts(number: int, capsys):
    before = signal.getsignal(number)
    with progress.watching(plain=True) as events:
        os.kill(os.getpid(), number)
        assert events.stopping
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
    assert capsys.readouterr().err.count("Ctrl-C again stops at once") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_signal_to_a_forked_child_ends_the_child_alone(capfd: pytest.CaptureFixture[str]):
    end, other_end = os.pipe()
    with progress.watching(plain=True) as events:
        child = os.fork()
        if child == 0:
            os.write(other_end, b"1")
            time.sleep(60)
            os._exit(0)
        os.read(end, 1)  # a signal during the fork is lost
        os.kill(child, signal.SIGTERM)
        _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGTERM
    assert not events.stopping
    assert capfd.readouterr().err == ""


def test_in_another_thread_signals_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    handlers = []

    def watch() -> None:
        with progress.watching(plain=True):
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert handlers == [before]


def test_the_progress_of_an_embedding_adds_clips_up_and_says_when_to_stop(capsys):
    with progress.rendering(log_json=True) as events:
        embedding = EmbeddingProgress(events, "digits", "mfcc", 48)
        assert embedding(10, 20.0)
        events.stopping = True
        assert not embedding(38, 70.0)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["done"], line["total"]) for line in lines] == [(10, 48), (48, 48)]
    assert all(line["speed"] > 0 for line in lines)


def test_bars_count_failures_and_name_a_reason_once():
    console = Console(file=sys.stderr, width=120, record=True)
    with Progress(TextColumn("{task.description}"), console=console, disable=True) as bars:
        events = progress.Bars(bars, NO_TRACKERS)
        play(events)
        descriptions = [task.description for task in bars.tasks]
    assert descriptions == ["mfcc on digits: clips, 32 x real time", "cells, 2 failed", "corpus: MB"]
    assert console.export_text().count("no memory") == 1


def test_a_tracker_that_raises_receives_no_more_results(capsys: pytest.CaptureFixture[str]):
    class Refuses:
        def finished(self, result: Result) -> None:
            raise OSError("connection\nrefused")

    class Collects:
        def __init__(self) -> None:
            self.results: list[Result] = []

        def finished(self, result: Result) -> None:
            self.results.append(result)

    collects = Collects()
    with progress.rendering(plain=True, trackers=Trackers({"mlflow": Refuses(), "list": collects})) as events:
        events.finished(DONE, 1, 2)
        events.finished(FAILED, 2, 2)
    stderr = capsys.readouterr().err
    assert stderr.count("--track mlflow: receives no more results (OSError: connection refused)") == 1
    assert collects.results == [DONE, FAILED]


def test_an_unknown_tracker_and_one_that_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match="--track excel: is unknown; expected mlflow, tensorboard, wandb"):
        trackers.connect(["excel"])
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(
        UsageError, match=r'--track mlflow: run: pip install "audio-embedding-bench\[mlflow\]"'
    ):
        trackers.connect(["mlflow"])


def test_mlflow_gets_every_cell_with_scores_and_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    folder = f"{tmp_path / 'runs'}"
    for _ in range(2):  # the second time the experiment exists
        services = trackers.connect([f"mlflow:{folder}"])
    assert services.finished(DONE) == []
    assert services.finished(FAILED) == []
    client = mlflow.MlflowClient(tracking_uri=folder)
    experiment = client.get_experiment_by_name("audio-embedding-bench")
    runs = {run.info.status: run.data for run in client.search_runs([experiment.experiment_id])}
    done = runs["FINISHED"]
    assert done.params["extractor"] == "mfcc"
    assert done.metrics["accuracy_low"] == 0.8
    assert done.metrics["f1  macro  clip vote "] == 0.5
    assert done.params["view"] == "layer 9, mean"
    assert done.params["task"] == "speaker"
    assert done.metrics["cost_fit_s"] == 3.0
    assert runs["FAILED"].tags["reason"] == "no memory"
    assert not runs["FAILED"].metrics


def test_mlflow_tells_its_makers_nothing():
    pytest.importorskip("mlflow")
    code = "import bench.runner.trackers.mlflow, mlflow.telemetry as t; print(t.get_telemetry_client())"
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "None"


def test_mlflow_that_raises_ends_the_run_before_any_work(tmp_path: Path, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(UsageError, match=r"--track mlflow:.*: MlflowException: "):
        trackers.connect([f"mlflow:{tmp_path / 'runs'}"])


def test_tensorboard_gets_a_folder_of_events_per_cell(tmp_path: Path):
    pytest.importorskip("tensorboardX")
    services = trackers.connect([f"tensorboard:{tmp_path / 'events'}"])
    assert services.finished(DONE) == []
    assert services.finished(FAILED) == []
    [folder] = (tmp_path / "events").iterdir()
    assert folder.name == "key"
    events = b"".join(path.read_bytes() for path in folder.rglob("*tfevents*"))
    assert b"accuracy_low" in events
    assert b"mfcc" in events


def test_wandb_gets_the_cell_and_its_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert trackers.connect(["wandb:project"]).finished(DONE) == []
    assert list(tmp_path.glob("wandb/offline-run-*"))


def test_a_tracker_gets_text_and_numbers():
    assert trackers.params(DONE) == {
        "dataset": "digits",
        "task": "speaker",
        "extractor": "mfcc",
        "view": "layer 9, mean",
        "head": "svm",
        "seed": 0,
        "repeat": 0,
        "split": "cv:5, grouped by session",
        "train_size": 1.0,
        "key": "key",
    }
    metrics = trackers.metrics(DONE)
    assert metrics["accuracy_low"] == 0.8
    assert metrics["f1 (macro)[clip vote]"] == 0.5
    assert "f1 (macro)[clip vote]_low" not in metrics
    assert metrics["cost_fit_s"] == 3.0
    assert trackers.metrics(FAILED) == {}
