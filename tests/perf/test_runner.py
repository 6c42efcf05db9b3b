"""The runner as ratios in one run, against a plain loop and one job; and what a user waits for."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import soundfile
import soxr
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from bench import catalog, runner
from bench.catalog import load
from bench.embed.cache import Cache
from bench.store import Store

SPEAKERS = ("jackson", "nicolas", "theo", "george", "lucas", "yweweler")


@pytest.fixture(scope="module")
def manifest(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 1,800 spoken digits; a session is a digit."""
    rows = [
        {"path": real / "fsdd" / f"{digit}_{name}_{take}.wav", "speaker": name, "session": digit}
        for name in SPEAKERS
        for digit in range(10)
        for take in range(30)
    ]
    path = tmp_path_factory.mktemp("data") / "digits.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def bench(folder: Path, cache: str, *words: object) -> float:
    """Return how long a command takes, in s."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "bench", *map(str, words)],
        cwd=folder,
        env={**os.environ, "BENCH_CACHE": str(folder / cache)},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start


CELLS = [
    "--extractors",
    "mfcc,logmel,spectral,mfcc-13",
    "--heads",
    "gbdt,rf,svm-linear,logreg",
    "--seeds",
    "0,1,2,3",  # some two minutes: a cluster takes three seconds to start
]


@pytest.mark.parametrize(
    ("words", "times"), [(["--jobs", "2"], 1.7), (["--jobs", "2", "--executor", "dask"], 1.6)]
)
def test_two_workers_against_one(benchmark, words: list[str], times: float, manifest: Path, tmp_path: Path):
    if "dask" in words:
        pytest.importorskip("distributed")
    call = ["run", "--tasks", "speaker", "--datasets", manifest, *CELLS]
    one = bench(tmp_path, "c1", *call, "--out", "one")
    two = bench(tmp_path, "c2", *call, *words, "--out", "two")
    benchmark.extra_info |= {"one_s": one, "two_s": two, "ratio": one / two}
    benchmark.pedantic(lambda: None, rounds=1)
    assert one / two >= times


def test_little_over_the_libraries(benchmark, manifest: Path, tmp_path: Path):
    """The runner's time over that of the libraries' calls in it, which vary by more than what it adds."""
    declared = load()
    extractors, heads = ("mfcc", "logmel", "spectral", "mfcc-13"), ("gbdt", "rf", "svm-linear", "logreg")
    built = [catalog.build(declared.extractors[name]) for name in extractors]
    for extractor in built:  # what a library loads when it is called first is nobody's
        extractor.embed([np.ones(extractor.sample_rate, np.float32)])
    for name in heads:
        catalog.build(declared.heads[name])
    request = runner.Request(
        datasets=(str(manifest),),
        home=tmp_path,
        tasks=("speaker",),
        extractors=extractors,
        heads=heads,
        seeds=(0, 1),
    )
    store = Store(tmp_path / "out")
    store.open()
    start = time.perf_counter()
    runner.run(runner.plan(request, declared), request, store, Cache(str(tmp_path)), Silent())
    runner_s = time.perf_counter() - start
    results = list(store.results().values())
    assert len(results) == 32 + 8  # with the baseline's
    tables = [store.predictions(result.key) for result in results]
    start = time.perf_counter()
    for extractor in built:
        for path in pd.read_csv(manifest)["path"]:
            samples, own = soundfile.read(path, dtype="float32")
            soxr.resample(samples, own, extractor.sample_rate)
    for table in tables:
        for part in (table, *(each for _, each in table.groupby("fold"))):
            y_true, y_pred = part["y_true"].to_numpy(str), part["y_pred"].to_numpy(str)
            accuracy_score(y_true, y_pred)
            balanced_accuracy_score(y_true, y_pred)
            f1_score(y_true, y_pred, average="macro")
    read_and_scored = time.perf_counter() - start
    embedded = {result.extractor: result.cost.extract_s for result in results}
    fitted = sum(result.cost.fit_s + result.cost.predict_s for result in results)
    libraries_s = read_and_scored + sum(embedded.values()) + fitted
    benchmark.extra_info |= {
        "libraries_s": libraries_s,
        "runner_s": runner_s,
        "ratio": runner_s / libraries_s,
    }
    benchmark.pedantic(lambda: None, rounds=1)
    assert runner_s / libraries_s <= 1.05


class Silent:
    """Watches and says nothing."""

    stopping = False

    def planned(self, plan: object) -> None: ...
    def embedded(self, *_: object) -> None: ...
    def finished(self, *_: object) -> None: ...
    def expected(self, seconds: object) -> None: ...


VIEWS = ("mean", "std", "max", "first")
MANY = [f"{name}@pool={pool}" for name in ("mfcc-13", "spectral", "mfcc") for pool in VIEWS]


def test_500_cells_that_are_there(benchmark, manifest: Path, tmp_path: Path):
    few = pd.read_csv(manifest).groupby(["speaker", "session"]).head(3)
    few.to_csv(tmp_path / "few.csv", index=False)
    call = ["run", "--tasks", "speaker", "--datasets", "few.csv", "--extractors", ",".join(MANY)]
    call += ["--heads", "lda,knn,logreg,svm,svm-linear,kmeans", "--seeds", "0,1,2,3,4,5"]
    cold = bench(tmp_path, "c", *call)
    warm = min(bench(tmp_path, "c", *call) for _ in range(3))
    benchmark.extra_info |= {"cold_s": cold, "warm_s": warm, "cells": 504}
    benchmark.pedantic(lambda: None, rounds=1)
    assert warm < 3.0


def test_a_plan_of_10000_cells_and_a_million_clips(benchmark, tmp_path: Path):
    """Windows of 1,000 files, in a process of its own, since what it holds counts."""
    rng = np.random.default_rng(0)
    n_files, n_windows = 1000, 1000
    for number in range(n_files):
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * rng.standard_normal(8000), 8000)
    file, window = np.repeat(np.arange(n_files), n_windows), np.tile(np.arange(n_windows), n_files)
    labels = {"speaker": (file % 40).astype(str), "session": (file % 200).astype(str)}
    start = window * 0.0005
    times = {"start": start, "end": start + 0.1 + file * 1e-4 + window * 1e-7}
    pd.DataFrame({"path": [f"{n}.wav" for n in file], **times, **labels}).to_parquet(
        tmp_path / "many.parquet"
    )
    code = (
        "import re, time; from pathlib import Path\n"
        "from bench import runner; from bench.catalog.declarations import load\n"
        "request = runner.Request(datasets=('many.parquet',), home=Path('home'), tasks=('speaker',),\n"
        "    extractors=('mfcc', 'logmel', 'spectral'), heads=('svm', 'logreg', 'knn'), seeds=range(834))\n"
        "start = time.perf_counter(); plan = runner.plan(request, load())\n"
        "seconds = time.perf_counter() - start\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1]\n"
        "print(len(plan.cells), seconds, int(peak) / 1024)"
    )
    told = [
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
        for _ in range(2)  # the first one reads the audio, the second one knows it
    ]
    cells, seconds, megabytes = (float(word) for word in told[1].stdout.split())
    benchmark.extra_info |= {"cells": cells, "plan_s": seconds, "mib": megabytes}
    benchmark.pedantic(lambda: None, rounds=1)
    assert cells >= 10_000
    assert seconds < 5
    assert megabytes < 1024


def test_the_parents_memory_over_2000_cells(benchmark, manifest: Path, tmp_path: Path):
    few = pd.read_csv(manifest).groupby(["speaker", "session"]).head(2)
    few.to_csv(tmp_path / "few.csv", index=False)
    command = [
        sys.executable,
        "-m",
        "bench",
        "run",
        "--tasks",
        "speaker",
        "--datasets",
        "few.csv",
        "--jobs",
        "2",
    ]
    command += [
        "--extractors",
        ",".join(MANY),
        "--heads",
        "lda,knn,logreg",
        "--seeds",
        ",".join(map(str, range(42))),
    ]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env={**os.environ, "BENCH_CACHE": "c"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    results = tmp_path / "bench-out" / "results.jsonl"
    held: dict[int, float] = {}
    while process.poll() is None:
        done = results.read_bytes().count(b"\n") if results.is_file() else 0
        if done < 2016:  # what follows is the report
            held[done] = psutil.Process(process.pid).memory_info().rss / 1e6
        time.sleep(0.2)
    early = max(mb for done, mb in held.items() if 100 <= done <= 400)
    late = max(mb for done, mb in held.items() if done >= 1600)
    benchmark.extra_info |= {"mb_at_400": early, "mb_at_2000": late}
    benchmark.pedantic(lambda: None, rounds=1)
    assert late <= 1.05 * early
