"""Kill commands over recordings at random moments, repeat them, and compare what they end with.

    python tests/storm/kills.py --n 300

Every round is a run in this process, in processes or on Dask that saves its models, and the publishing of its
report. A command, or one of its workers, is killed and started again until it gets through. Then the results
are those of a run that nobody killed, but for cost, with every cell there once; two seconds after a kill no
process of the command is left.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import common
import psutil

from bench.learn import bundle
from bench.store import Store, baseline

EXECUTORS: Sequence[Sequence[str]] = (["--jobs", "2", "--executor", "dask"], ["--jobs", "2"], [])
MARK = "BENCH_STORM"
"""Variable that marks the processes of a command."""

ORPHAN_SECONDS = 2


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per kill, and one per round."""
    common.digits(n_takes=1).to_csv(folder / "digits.csv", index=False)
    call = ["run", "--tasks", "speaker", "--datasets", "digits.csv", "--save-models"]
    call += ["--extractors", "mfcc-13,spectral", "--heads", "svm,lda,mlp"]
    start = time.monotonic()
    assert started([*call, "--out", "whole"], folder, "cache-whole").wait() == 0
    seconds = time.monotonic() - start
    n_kills = n_rounds = 0
    while n_kills < n:
        out, cache = f"out{n_rounds}", f"cache{n_rounds}"
        commands = [
            ([*call, "--out", out, *EXECUTORS[n_rounds % len(EXECUTORS)]], seconds),
            (["report", out, "--publish", f"published{n_rounds}"], seconds),
        ]
        for command, longest in commands:
            for victim in killed(command, folder, cache, longest, chance):
                n_kills += 1
                name = f"{' '.join(command)}: killed {victim}"
                yield common.Case(name, "" if victim != "the command" else orphans(cache))
        yield common.Case(f"round {n_rounds}", difference(folder, n_rounds))
        n_rounds += 1


def started(command: Sequence[str], folder: Path, cache: str) -> subprocess.Popen[bytes]:
    """Return the process of a command that has begun."""
    environment = {**os.environ, "BENCH_CACHE": str(folder / cache), "OMP_NUM_THREADS": "1", MARK: cache}
    call = [sys.executable, "-m", "bench", *command]
    with (folder / "log.txt").open("wb") as log:
        return subprocess.Popen(call, cwd=folder, env=environment, stdout=log, stderr=log)


def killed(
    command: Sequence[str], folder: Path, cache: str, seconds: float, chance: random.Random
) -> Iterator[str]:
    """Start a command again and again until it ends, and yield what was killed."""
    while True:
        process = started(command, folder, cache)
        try:
            process.wait(chance.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            children = psutil.Process(process.pid).children(recursive=True)
            workers = [child for child in children if is_worker(child)]
            if workers and chance.random() < 0.5:
                chance.choice(workers).kill()
                yield "a worker"
            else:
                process.kill()
                process.wait()
                yield "the command"
        if process.wait() != -9:
            assert process.returncode == 0, (folder / "log.txt").read_text()
            return


def is_worker(process: psutil.Process) -> bool:
    """Return whether a process was started to compute units."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has gone meanwhile
        return False


def orphans(mark: str) -> str:
    """Return the processes of a killed command that are left after `ORPHAN_SECONDS`."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while left := [each for each in psutil.process_iter() if marked(each, mark)]:
        if time.monotonic() > deadline:
            return f"{len(left)} processes are left, such as {left[0]}"
        time.sleep(0.05)
    return ""


def marked(process: psutil.Process, mark: str) -> bool:
    """Return whether a process runs with a mark."""
    try:
        return process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def difference(folder: Path, number: int) -> str:
    """Return how the results, models or baseline of a round differ from those of the run nobody killed."""
    out, whole = folder / f"out{number}", common.results(folder / "whole")
    try:
        cells = common.results(out)
    except AssertionError as error:
        return str(error)
    if any(cell["status"] != "ok" for cell in cells.values()):
        return "a cell failed"
    if cells != whole:
        return "other results"
    published = baseline.side(folder / f"published{number}" / "baseline.jsonl")
    if {result.key for result in published.results} != set(whole):
        return "another baseline"
    for key in whole:
        models = Store(out).models_path(key)
        if models.is_dir():
            bundle.load(models, bundle.read_card(models).folds[0])
    return ""


if __name__ == "__main__":
    common.main(storm, 300)
