"""The same run in this process, in processes and on Dask, beside plugins that hang, die and exit."""

import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from importlib.util import find_spec
from pathlib import Path

import common
import numpy as np
import psutil
import pytest

from bench.embed.cache import Cache
from bench.errors import UsageError
from bench.runner import execution, executors
from bench.runner.executors import dask
from bench.store import Store

WORDS = {"processes": ["--jobs", "2"], "dask": ["--jobs", "2", "--executor", "dask"]}
EXECUTORS = {name: words for name, words in WORDS.items() if name != "dask" or find_spec("distributed")}
needs = {"dask": pytest.mark.skipif(not find_spec("distributed"), reason="needs the extra 'dask'")}

NETWORK = "mlp" if find_spec("skorch") else "logreg"

PLUGINS = '''
import os, signal, time
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier

class Levels:
    sample_rate, dim = 8000, 2
    def embed(self, audio):
        return np.array([[np.abs(y).mean(), np.abs(y).max()] for y in audio])

class Crossings(Levels):
    def embed(self, audio):
        return np.array([[np.mean(y[1:] * y[:-1] < 0), np.mean(y > 0)] for y in audio])

class Hangs(Levels):
    def embed(self, audio):
        time.sleep(3600)

class Dies(Levels):
    def embed(self, audio):
        os.kill(os.getpid(), signal.SIGKILL)

class Leaves(Levels):
    def embed(self, audio):
        raise SystemExit(3)

class HeadHangs(DummyClassifier):
    def fit(self, X, y):
        time.sleep(3600)

class HeadDies(DummyClassifier):
    def fit(self, X, y):
        os.abort()

class HeadLeaves(DummyClassifier):
    def fit(self, X, y):
        raise SystemExit("bye")

class Guesses(ClassifierMixin, BaseEstimator):
    """Draws directions from the global generator."""
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.directions_ = np.random.normal(size=(X.shape[1], len(self.classes_)))
        return self
    def predict(self, X):
        return self.classes_[(X @ self.directions_).argmax(axis=1)]
'''


@pytest.fixture
def plugins(tmp_path: Path) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "odd_plugins.py").write_text(PLUGINS)
    for kind, names in {
        "extractors": ("Levels", "Crossings", "Hangs", "Dies", "Leaves"),
        "heads": ("HeadHangs", "HeadDies", "HeadLeaves", "Guesses"),
    }.items():
        entries = (f'[{name.lower()}]\nfactory = "odd_plugins:{name}"\n' for name in names)
        (tmp_path / "registry" / f"{kind}.toml").write_text("".join(entries))


@pytest.mark.parametrize(
    ("extractors", "heads"),
    [
        ("crossings,levels", "gmm,guesses"),  # dummy, beside them, draws nothing
        pytest.param("mfcc-13,levels", f"svm,gmm,{NETWORK}", marks=pytest.mark.slow),  # its imports take long
    ],
)
def test_the_same_whatever_computes_it_and_shared_clips_are_embedded_once(
    extractors: str, heads: str, bench, plugins, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "again.csv").write_text(digits.read_text())
    call = ["run", "--tasks", "speaker", "--split", "cv:2", "--datasets", f"{digits},again.csv"]
    call += ["--extractors", extractors, "--heads", heads, "--seeds", "0,1"]
    assert bench(*call, "--out", "here").exit_code == 0
    here = common.results(tmp_path / "here")
    assert len(here) == 2 * 2 * 2 * (heads.count(",") + 2)
    for name, words in EXECUTORS.items():
        monkeypatch.setenv("BENCH_CACHE", str(tmp_path / f"cache of {name}"))
        done = bench(*call, *words, "--out", name)
        assert done.exit_code == 0, done.stderr
        assert common.results(tmp_path / name) == here
        run = json.loads((tmp_path / name / "run.json").read_text())
        assert (run["counters"]["clips_embedded"], run["counters"]["clips_cached"]) == (2 * 48, 2 * 48)
        assert "jobs" not in run["request"]


@pytest.mark.parametrize(
    ("executor", "extractors"),
    [
        ("processes", "levels,leaves"),  # test_plugins.py has an extractor that hangs and one that dies
        pytest.param("dask", "hangs,dies,levels,leaves", marks=[needs["dask"], pytest.mark.slow]),
    ],
)
def test_a_plugin_that_hangs_or_dies_fails_its_cells_alone(
    executor: str, extractors: str, bench, plugins, digits: Path, tmp_path: Path
):
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--heads", "lda"]
    assert bench(*call, "--extractors", "levels", "--out", "alone").exit_code == 0
    call = [*call[:-1], "lda,headhangs,headdies,headleaves", "--cell-timeout", "3", *WORDS[executor]]
    assert bench(*call, "--extractors", extractors, "--out", "all").exit_code == 1
    reasons = {
        (result.extractor, result.head): result.reason
        for result in Store(tmp_path / "all").results().values()
    }
    if executor == "dask":
        assert reasons["hangs", "lda"] == "extractor 'hangs': it took longer than --cell-timeout allows"
        assert "extractor 'dies': its worker died" in reasons["dies", "lda"]
    assert "extractor 'leaves' raised SystemExit: 3" in reasons["leaves", "lda"]
    assert reasons["levels", "headhangs"] == "it took longer than --cell-timeout allows"
    assert "its worker died" in reasons["levels", "headdies"]
    assert reasons["levels", "headleaves"].startswith("SystemExit: bye (odd_plugins.py")
    alone, beside = common.results(tmp_path / "alone"), common.results(tmp_path / "all")
    assert {key: beside[key] for key in alone} == alone
    assert not list((tmp_path / "cache").glob("late-*"))


@needs["dask"]
def test_a_unit_that_hangs_or_dies_on_dask_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dask, "DEATHS", 2)  # a worker takes seconds to start
    with executors.start("dask", 1, 1, str(tmp_path)) as workers:
        error = executors.error_of(workers.submit(time.sleep, 600))
        assert executors.loss(error) == "it took longer than --cell-timeout allows"
        error = executors.error_of(workers.submit(os._exit, 7))
        assert executors.loss(error).startswith("its worker died again and again")
        assert workers.submit(abs, -1).result() == 1
    assert not list(tmp_path.glob("late-*"))


UNIT = """
import os, signal

def killed_the_first_time(mark):
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"
"""


def test_a_unit_whose_process_is_killed_once_is_done_by_another(tmp_path: Path, monkeypatch):
    (tmp_path / "unit_under_test.py").write_text(UNIT)
    monkeypatch.syspath_prepend(str(tmp_path))  # a process that is started looks there too
    unit = importlib.import_module("unit_under_test")
    with executors.start("local", 2, None, str(tmp_path)) as workers:
        assert workers.submit(unit.killed_the_first_time, tmp_path / "mark").result() == "done"
        future = workers.submit(os._exit, 7)
        assert executors.loss(executors.error_of(future)) == "its worker died 3 times (exit code 7)"
        assert executors.loss(workers.submit(int, "x").exception()) == ""


DEATHS = """
import os, signal, sys
from contextlib import suppress
from pathlib import Path

if "spawn_main" in " ".join(sys.orig_argv):  # a worker, before it has imported anything
    for death in sorted(Path(__file__).parent.glob("death-*")):
        with suppress(FileNotFoundError):  # another worker has died of it
            death.unlink()
            exec(death.name.partition("-")[2][1:])
"""


@pytest.fixture
def deaths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that lets the next workers die at their start."""
    folder = tmp_path / "deaths"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(DEATHS)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")

    def prepare(*codes: str) -> None:
        for n, code in enumerate(codes):
            (folder / f"death-{n}{code}").touch()

    return prepare


KILLED, ABORTED, EXITED = "os.kill(os.getpid(), signal.SIGKILL)", "os.abort()", "os._exit(3)"
"""Ways to die, as code."""


@pytest.mark.parametrize("name", ["local", pytest.param("dask", marks=needs["dask"])])
def test_a_worker_that_dies_at_its_start_is_replaced(name: str, deaths, tmp_path: Path):
    deaths(KILLED, EXITED)
    limits = {name: value for name, value in os.environ.items() if "_THREADS" in name}
    with executors.start(name, 2, None, str(tmp_path)) as workers:
        assert [workers.submit(abs, -n).result() for n in range(3)] == [0, 1, 2]
    assert {name: value for name, value in os.environ.items() if "_THREADS" in name} == limits
    assert not list((tmp_path / "deaths").glob("death-*"))


def test_a_unit_fails_when_its_workers_die_at_their_start_three_times(deaths, tmp_path: Path):
    deaths(EXITED, EXITED, ABORTED)
    with executors.start("local", 2, None, str(tmp_path)) as workers:
        future = workers.submit(abs, -1)
        assert executors.loss(executors.error_of(future)) == "its worker died 3 times (SIGABRT)"
        assert workers.submit(abs, -1).result() == 1


@needs["dask"]
def test_a_cluster_whose_worker_always_dies_at_its_start_says_so(deaths, tmp_path: Path):
    deaths(*[EXITED] * 9)
    message = "--executor dask: a worker died 3 times at its start"
    with pytest.raises(UsageError, match=message), executors.start("dask", 1, None, str(tmp_path)):
        pass


@needs["dask"]
def test_a_cluster_without_any_worker_ends_the_run(deaths, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 1)
    with executors.start("dask", 1, None, str(tmp_path)) as workers:
        deaths(*[EXITED] * 9)
        future = workers.submit(os.kill, workers.submit(os.getpid).result(), signal.SIGKILL)
        while not future.done():  # at first, the cluster may not yet know of the death
            workers.mend()
        with pytest.raises(UsageError, match="the cluster is lost"):
            executors.error_of(future)


PARENT = """
import sys, time

if __name__ == "__main__":
    from bench.runner import executors

    with executors.start(sys.argv[1], 2, None, sys.argv[2]) as workers:
        units = [workers.submit(time.sleep, n) for n in (0, 600, 600)]
        units[0].result()
        print("working", flush=True)
        units[1].result()
"""


@pytest.mark.parametrize("name", ["local", pytest.param("dask", marks=needs["dask"])])
def test_workers_end_with_their_parent(name: str, tmp_path: Path):
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, "parent.py", name, str(tmp_path)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "working\n"
        workers = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    assert len(workers) >= 2
    left = psutil.wait_procs(workers, timeout=2)[1]
    # A zombie has ended, and waits for the system to read its exit status.
    assert [worker for worker in left if worker.status() != psutil.STATUS_ZOMBIE] == []


def test_processes_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    with executors.start("local", 4, None, str(tmp_path)) as workers:
        assert workers.submit(os.getenv, "OMP_NUM_THREADS").result() == "2"
    assert os.environ["OMP_NUM_THREADS"] == "8"


def test_a_lost_cluster_says_how_to_continue():
    future: Future[None] = Future()
    future.cancel()
    with pytest.raises(UsageError, match=r"--executor: the cluster is lost.*run the same command again"):
        executors.error_of(future)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("slurm", "--executor slurm: is unknown; expected local, dask or dask://HOST:PORT"),
        pytest.param("dask://127.0.0.1:1", "does not answer", marks=needs["dask"]),
    ],
)
def test_an_executor_that_is_unknown_or_does_not_answer_is_named(
    name: str, message: str, bench, digits: Path, monkeypatch
):
    monkeypatch.setattr(dask, "CONNECT_SECONDS", 1)
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc-13", "--heads", "lda"]
    refused = bench(*call, "--executor", name)
    assert refused.exit_code == 2
    assert message in refused.stderr


def test_without_dask_the_error_names_the_command_that_installs_it(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(dask, "find_spec", lambda name: None)
    message = r'--executor dask: run: pip install "audio-embedding-bench\[dask\]"'
    with pytest.raises(UsageError, match=message), executors.start("dask", 1, None, str(tmp_path)):
        pass


@pytest.mark.parametrize("words", [[], WORDS["processes"]], ids=["here", "processes"])
def test_a_batch_systems_warning_finishes_the_current_units(
    words: list[str], bench, plugins, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    append, warnings = Store.append, [signal.SIGTERM]

    def warn(*args: object) -> None:
        append(*args)
        if warnings:
            signal.raise_signal(warnings.pop())

    monkeypatch.setattr(Store, "append", warn)
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "levels"]
    stopped = bench(*call, "--heads", "svm,lda,knn", "--seeds", "0,1,2", *words)
    assert stopped.exit_code == 1
    assert "stopping after the current units" in stopped.stderr
    assert "the same command" in stopped.stderr
    results = Store(tmp_path / "bench-out").results()
    assert 0 < len(results) < 12
    assert all(result.status == "ok" for result in results.values())


@pytest.fixture
def small_disk(tmp_path: Path):
    """Yield a folder with room for 60 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["/bin/mount", "-t", "tmpfs", "-o", "size=60k", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield folder
    subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)  # the cache's files are still mapped


@pytest.mark.parametrize(
    ("full", "words"),
    [
        pytest.param("results", [], id="results-here"),
        pytest.param("results", WORDS["processes"], id="results-processes", marks=pytest.mark.slow),
        pytest.param("cache", [], id="cache-here"),
        pytest.param("cache", WORDS["processes"], id="cache-processes", marks=pytest.mark.slow),
    ],
)
def test_a_full_disk_ends_the_run_in_one_line_and_loses_nothing(
    full: str, words: list[str], bench, digits: Path, tmp_path: Path, small_disk: Path, monkeypatch
):
    out = small_disk / "out" if full == "results" else "out"
    if full == "cache":
        monkeypatch.setenv("BENCH_CACHE", str(small_disk / "cache"))
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--out", out]
    call += ["--extractors", "mfcc-13,mfcc", "--heads", "lda,knn,logreg"]
    stopped = bench(*call, *words)
    assert stopped.exit_code == 2
    assert "No space left on device" in stopped.stderr.splitlines()[-1]
    finished = len(Store(tmp_path / out).results())
    assert finished < 8
    subprocess.run(["/bin/mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    done = bench(*call)
    assert done.exit_code == 0
    assert f"cells: {8 - finished} computed, {finished} reused" in done.stderr


def test_a_cache_that_cannot_be_written_still_serves(bench, digits: Path, tmp_path: Path, monkeypatch):
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc-13", "--heads"]
    bench(*call, "lda")

    def refuse(*args: object) -> None:
        raise UsageError("cache: cannot be written (Read-only file system)")

    monkeypatch.setattr(Cache, "write", refuse)
    assert bench(*call, "svm").exit_code == 0


def test_a_clip_that_has_gone_since_the_plan_ends_the_run(bench, digits, tone, tmp_path: Path, monkeypatch):
    with digits.open("a") as file:
        file.write(f"{tone('late.wav')},theo,male,3\n")
    shards = execution.shards

    def vanish(*args: object, **kwargs: object) -> object:
        (tmp_path / "late.wav").unlink(missing_ok=True)
        return shards(*args, **kwargs)

    monkeypatch.setattr(execution, "shards", vanish)
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc-13", "--heads", "lda"]
    stopped = bench(*call)
    assert stopped.exit_code == 2
    assert re.search(r"late\.wav: .*run the same command again", stopped.stderr.splitlines()[-1])


@pytest.mark.no_cover
def test_random_numbers_depend_on_the_cell_alone(bench, plugins, digits: Path, tmp_path: Path):
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "levels"]
    bench(*call, "--heads", "guesses", "--seeds", "0,1", "--out", "alone")
    np.random.seed(7)  # noqa: NPY002  # earlier draws must not matter
    bench(*call, "--heads", "lda,rf,guesses", "--seeds", "1,0", "--out", "beside")
    alone, beside = common.results(tmp_path / "alone"), common.results(tmp_path / "beside")
    guesses = [key for key, line in alone.items() if line["head"] == "guesses"]
    assert {alone[key]["predictions"] for key in guesses} == {beside[key]["predictions"] for key in guesses}
    assert len({alone[key]["predictions"] for key in guesses}) == 2
