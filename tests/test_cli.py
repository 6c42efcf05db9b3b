import json
import os
import re
import signal
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import platformdirs
import pytest

from bench import cli
from bench.catalog import packaged_root
from bench.metrics import METRICS
from bench.runner import progress
from bench.store import Store
from bench.types import Result, SplitId, Status, TaskId, View

ROOT = Path(__file__).parent.parent


def test_the_lowest_releases_run_every_command():
    tests = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    marked = {name for text in tests for name in re.findall(r'mark\.verb\("(\w+)"\)', text)}
    assert marked == set(cli.main.commands)


@pytest.mark.verb("serve")
def test_serve_without_its_packages_says_how_to_install_them(bench, monkeypatch):
    monkeypatch.setattr("bench.cli.serve.find_spec", lambda name: None)
    result = bench("serve", "model")
    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == (
        "Error: bench serve: needs starlette, uvicorn, python_multipart; "
        'run: pip install "audio-embedding-bench[serve]"'
    )


def test_help_and_version(bench):
    assert "Compare audio embeddings and classifiers" in bench("--help").stdout
    assert version("audio-embedding-bench") in bench("--version").stdout


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "tasks",
            [
                "noise",
                "gender",
                "speaker",
                "class",
                "noise-kind",
                "noise-or-voice",
                "phrase",
                "emotion",
                "keyword",
            ],
        ),
        ("reducers", ["pca", "pca-47", "umap", "umap-10"]),
        ("metrics", list(METRICS)),
    ],
)
def test_each_kind_is_listed_for_people_and_for_machines(bench, kind: str, names: list[str]):
    entries = json.loads(bench("list", kind, "--json").stdout)
    assert [entry["name"] for entry in entries] == names
    assert {entry["kind"] for entry in entries} == {kind}
    assert all(entry["about"] and entry["status"] == "ready" for entry in entries)
    text = bench("list", kind).stdout
    assert all(name in text for name in names)


@pytest.mark.parametrize("words", [[], ["metrics"]])
def test_what_is_listed_keeps_its_schema(bench, words: list[str]):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs" / "list.schema.json").read_text())
    entries = json.loads(bench("list", *words, "--json").stdout)
    jsonschema.validate(entries, schema, jsonschema.Draft202012Validator)
    [whisper] = [entry for entry in entries if entry["name"] == "whisper-tiny"] or [None]
    if not words:
        assert whisper["facts"]["licence"] == "Apache-2.0"
        assert (whisper["facts"]["parameters"], whisper["facts"]["rate"]) == (39_000_000, 16_000)


def test_extractors_are_listed_with_what_is_missing(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    entries = json.loads(bench("list", "extractors", "--json").stdout)
    listed = {entry["name"]: entry["status"] for entry in entries}
    assert listed["mfcc"] == "ready"
    assert listed["whisper-tiny"] in {
        "bench fetch whisper-tiny",
        'pip install "audio-embedding-bench[neural]"',
    }


def test_a_dataset_that_must_be_fetched_says_so(bench):
    status = {
        entry["name"]: entry["status"] for entry in json.loads(bench("list", "datasets", "--json").stdout)
    }
    assert status["demo"] == "ready"
    assert status["fsdd"] == "bench fetch fsdd"
    assert {f"librispeech-{name}" for name in ("dev-clean", "test-other", "train-clean-100")} < set(status)


@pytest.mark.verb("list")
def test_everything_is_listed_at_once(bench):
    kinds = [entry["kind"] for entry in json.loads(bench("list", "--json").stdout)]
    assert list(dict.fromkeys(kinds)) == ["datasets", "tasks", "extractors", "heads", "reducers"]


def test_what_is_missing_is_listed_with_the_command(bench, tmp_path):
    (tmp_path / "registry").mkdir()
    entry = '[needy]\nfactory = "a:B"\nrequires = ["no-such-distribution"]\n'
    (tmp_path / "registry" / "heads.toml").write_text(entry)
    status = {entry["name"]: entry["status"] for entry in json.loads(bench("list", "heads", "--json").stdout)}
    assert status["needy"] == "pip install no-such-distribution"


def test_a_broken_registry_is_one_line(bench, tmp_path):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "heads.toml").write_text("[svm\n")
    done = bench("list")
    assert done.exit_code == 2
    assert "heads.toml: no valid TOML" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "--seeds", "0,x"], "'0,x' is not a list of whole numbers"),
        (["run", "--allow-bad", "many"], "'many' is not a percentage"),
        (["run", "--allow-bad", "101%"], "'101%' is not a percentage"),
        (["run", "--tasks", "gender,,noise"], "'gender,,noise' has an empty item"),
        (["run", "--taks", "gender"], "No such option"),
        (["list", "songs"], "'songs' is not one of"),
        (["report"], "Missing argument 'OUT...'"),
        (["report", "nowhere"], "nowhere: holds no run.json"),
    ],
)
def test_a_command_that_cannot_be_understood_exits_with_2(bench, words: list[str], message: str):
    done = bench(*words)
    assert done.exit_code == 2
    assert message in done.stderr


def test_an_output_that_is_a_file_is_refused_before_any_work(bench, tmp_path):
    (tmp_path / "out").touch()
    done = bench("run", "--out", "out")
    assert (done.exit_code, done.stderr) == (
        2,
        "Error: out: is a file; expected a folder, or a name that is free\n",
    )


@pytest.mark.parametrize("out", ["/proc/bench-out", "file/out"])
def test_an_output_that_cannot_be_written_is_refused(bench, digits, tmp_path, out: str):
    (tmp_path / "file").touch()
    done = bench("run", "--tasks", "speaker", "--datasets", digits, "--out", out)
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_second_run_on_the_same_folder_is_refused(bench, digits, tmp_path):
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc-13", "--heads", "svm"]
    with Store(tmp_path / "bench-out").writing():
        refused = bench(*call)
    assert refused.exit_code == 2
    assert "bench-out: another run writes to it; wait until that has ended" in refused.stderr
    assert bench(*call).exit_code == 0


def test_a_dry_run_says_what_is_to_be_done_and_does_nothing(bench, digits, tmp_path):
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc-13", "--heads"]
    first = bench(*call, "svm", "--dry-run")
    assert first.stdout.splitlines()[2].split() == ["digits", "mfcc-13", "48", "0.01", "0"]
    assert "cells: 2 to compute, 0 cached, 0 not possible" in first.stdout
    assert not (tmp_path / "bench-out").exists()
    bench(*call, "svm")
    second = bench(*call, "svm,knn", "--dry-run")
    assert second.stdout.splitlines()[2].split() == ["digits", "mfcc-13", "48", "0.01", "48"]
    assert "cells: 1 to compute, 2 cached, 0 not possible" in second.stdout


def test_the_first_interrupt_finishes_what_is_in_hand(bench, digits, tmp_path, monkeypatch):
    finished = progress.Bars.finished

    def interrupted(self, result, done, total) -> None:
        finished(self, result, done, total)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(progress.Bars, "finished", interrupted)
    call = [
        "run",
        "--tasks",
        "speaker",
        "--datasets",
        digits,
        "--extractors",
        "mfcc-13",
        "--heads",
        "svm,knn",
    ]
    stopped = bench(*call)
    assert stopped.exit_code == 1
    assert "Ctrl-C again stops at once" in stopped.stderr
    assert "run the same command to continue" in stopped.stderr
    assert len(Store(tmp_path / "bench-out").results()) == 1
    monkeypatch.setattr(progress.Bars, "finished", finished)
    assert "cells: 2 computed, 1 reused" in bench(*call).stderr


def test_an_interrupt_says_how_to_go_on(bench, monkeypatch):
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench.runner.plan", interrupt)
    done = bench("run")
    assert done.exit_code == 1
    assert "run the same command to continue" in done.stderr


def test_an_error_of_the_system_is_one_line(bench, digits, tmp_path, monkeypatch):
    (tmp_path / "bench-out" / "leaderboard.md").mkdir(parents=True)
    done = bench(
        "run", "--tasks", "speaker", "--extractors", "mfcc-13", "--heads", "svm", "--datasets", digits
    )
    assert done.exit_code == 2
    assert "Error: bench-out/leaderboard.md: Is a directory" in done.stderr


@pytest.mark.figures
@pytest.mark.verb("report")
def test_a_report_is_written_again_from_the_store_alone(bench, digits, tmp_path):
    run = bench(
        "run", "--tasks", "speaker", "--extractors", "mfcc-13", "--heads", "svm", "--datasets", digits
    )
    written = {
        path: path.read_bytes()
        for path in (tmp_path / "bench-out").rglob("*.*")
        if path.suffix in {".md", ".png"}
    }
    assert len(written) == 2
    for path in written:
        path.unlink()
    digits.unlink()
    again = bench("report", "bench-out")
    assert again.exit_code == 0
    assert again.stdout == run.stdout
    assert {path: path.read_bytes() for path in written} == written


def test_without_a_terminal_there_are_no_bars_but_each_reason_once(capsys):
    failed = Result(
        key="k",
        dataset="demo",
        task=TaskId("gender"),
        extractor="mfcc",
        view=View(),
        head="svm",
        seed=0,
        split=None,
        status=Status.FAILED,
        reason="[bold]why[/bold] " + "long " * 50,
    )
    with progress.rendering() as events:
        events.embedded("demo", "mfcc", 1, 2, 80.0)
        events.finished(failed, 1, 2)
        events.finished(failed, 2, 2)
    reason = failed.reason.strip()
    assert capsys.readouterr().err.strip() == f"failed: gender on demo, mfcc (mean+std), svm: {reason}"


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("task", "column"), [pytest.param("gender", "speaker", marks=pytest.mark.slow), ("speaker", "clip")]
)
@pytest.mark.verb("data")
def test_a_fixed_split_of_the_package_is_what_its_command_makes(
    bench, home: Path, tmp_path: Path, monkeypatch, task: str, column: str
):
    monkeypatch.setenv("BENCH_CACHE", str(home))
    done = bench(
        "data", "split", "demo", "--task", task, "--split", "cv:5", "--by", column, "--out", "a/b.csv"
    )
    assert done.exit_code == 0, done.stderr
    packaged = packaged_root() / "datasets" / "demo" / f"{task}.csv"
    assert (tmp_path / "a/b.csv").read_text() == packaged.read_text()
    assert f"wrote a/b.csv: {20 if column == 'speaker' else 240} of {column} in 5 folds" in done.stdout


def test_the_fixed_split_of_noise_keeps_recordings_apart(bench, home: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(home))
    (tmp_path / "registry").mkdir()
    task = 'target = "noise"\ngroups = ["recording"]\nmetrics = ["accuracy"]\n'
    (tmp_path / "registry" / "tasks.toml").write_text(f"[by-recording]\n{task}")
    done = bench("data", "split", "demo", "--task", "by-recording", "--split", "cv:5", "--out", "a.csv")
    assert done.exit_code == 0, done.stderr
    packaged = packaged_root() / "datasets" / "demo" / "noise.csv"
    assert (tmp_path / "a.csv").read_text() == packaged.read_text()


SUITE = """
[datasets]
names = ["digits.csv"]
allow-bad = "10%"

[tasks]
names = ["speaker"]
split = "cv:4"

[extractors]
names = ["mfcc-13"]

[heads]
names = ["lda", "knn"]
seeds = [0, 1]

[run]
out = "by-suite"
"""


def test_a_suite_says_what_options_do_not(bench, digits, tmp_path):
    (tmp_path / "suite.toml").write_text(SUITE)
    done = bench("run", "--suite", "suite.toml", "--heads", "svm")
    assert done.exit_code == 0
    results = Store(tmp_path / "by-suite").results().values()
    assert {(result.head, result.seed) for result in results} == {
        (h, s) for h in ("svm", "dummy") for s in (0, 1)
    }
    assert {result.split for result in results} == {SplitId("cv:4", "session")}
    request = Store(tmp_path / "by-suite").run().request
    assert (request.allow_bad, request.heads) == (0.1, ("svm",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[head]\n",
            "suite.toml: [head] is unknown; expected the tables datasets, tasks, extractors, heads, run",
        ),
        (
            "[heads]\nname = 1\n",
            "suite.toml: [heads] has 'name'; expected names, tune, select, seeds, save-models",
        ),
        ("heads = 3\n", "suite.toml: [heads] is unknown"),
        ("[heads\n", "suite.toml: no valid TOML"),
        ("[heads]\nseeds = [-1]\n", "is not a list of whole numbers"),
    ],
)
def test_a_suite_that_says_nonsense_is_refused(text, message, bench, tmp_path):
    (tmp_path / "suite.toml").write_text(text)
    refused = bench("run", "--suite", "suite.toml")
    assert refused.exit_code == 2
    assert message in refused.stderr
    missing = bench("run", "--suite", "absent.toml")
    assert "absent.toml: no such file" in missing.stderr


def test_a_run_that_computes_nothing_writes_no_report_again(bench, digits, tmp_path):
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc-13", "--heads", "lda"]
    first = bench(*call)
    leaderboard = tmp_path / "bench-out" / "leaderboard.md"
    text, time = leaderboard.read_text(), leaderboard.stat().st_mtime_ns
    assert bench(*call).stdout == first.stdout
    assert leaderboard.stat().st_mtime_ns == time
    leaderboard.write_text("mine")
    assert bench(*call).stdout == first.stdout
    assert leaderboard.read_text() == text
    leaderboard.unlink()
    bench(*call)
    assert leaderboard.read_text() == text
    bench(*call[:-1], "lda,knn")
    assert "knn" in leaderboard.read_text()


def test_a_cache_may_be_a_url(bench, digits, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", "memory://embeddings")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc-13", "--heads"]
    assert bench(*call, "lda").exit_code == 0
    assert "cached clips: mfcc-13 48" in bench(*call, "knn").stderr
    assert "in memory://embeddings" in bench("cache", "info").stdout


@pytest.mark.parametrize("url", ["odd://bucket/x", pytest.param("s3://bucket/x", id="s3")])
def test_a_cache_that_no_package_opens_is_one_line(url: str, bench, digits, monkeypatch):
    if url.startswith("s3") and find_spec("s3fs"):
        pytest.skip("needs an environment without s3fs")
    monkeypatch.setenv("BENCH_CACHE", url)
    monkeypatch.setenv("XDG_CACHE_HOME", str(digits.parent))
    refused = bench("cache", "info")
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"Error: {url}: cannot be written (")
    assert "s3fs" in refused.stderr or "odd" in refused.stderr


def test_libraries_cache_below_ours_where_the_home_cannot_be_written(bench, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file" / "home"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    monkeypatch.setenv("MPLCONFIGDIR", "")  # so that it is restored
    monkeypatch.delenv("MPLCONFIGDIR")
    assert bench("list", "metrics").exit_code == 0
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"
    assert os.environ["MPLCONFIGDIR"] == str(tmp_path / "cache" / "libraries" / "matplotlib")


def test_a_user_without_a_home_is_told_to_set_the_cache(bench, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: f"~/.cache/{name}")
    monkeypatch.delenv("BENCH_CACHE")
    refused = bench("cache", "info")
    line = "Error: BENCH_CACHE: names no folder, and there is no home folder; set it to a folder\n"
    assert (refused.exit_code, refused.stderr) == (2, line)
