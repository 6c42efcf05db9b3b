"""Kill runs over real audio at random moments, resume them, and compare what they end with.

    python tests/campaign.py ../shared/data --kills 50

Every round starts in an empty folder and is killed until it gets through: the command itself, or one of its
workers, of processes and of Dask in turn. Then its results must be those of a run that nobody killed, but for
cost, with every cell there once. It takes about half an hour.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil

SPEAKERS = ("jackson", "nicolas", "theo", "george", "lucas")
EXTRACTORS = "mfcc,mfcc-13,logmel,spectral"
HEADS = "svm,gbdt,logreg,lda,knn,rf,mlp-gender"
LOG = "log.txt"
EXECUTORS = (["--jobs", "2"], ["--jobs", "2", "--executor", "dask"])


def main() -> None:
    """Run the campaign, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with fsdd/ and LibriSpeech/")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        digits(asked.data.resolve() / "fsdd").to_csv(folder / "digits.csv", index=False)
        datasets = f"{folder / 'digits.csv'},{asked.data.resolve() / 'LibriSpeech' / 'test-other'}"
        command = [sys.executable, "-m", "bench", "run", "--tasks", "speaker", "--datasets", datasets]
        command += ["--extractors", EXTRACTORS, "--heads", HEADS]
        start = time.monotonic()
        started([*command, "--out", "whole", *EXECUTORS[0]], folder, "cache-whole").wait()
        seconds = time.monotonic() - start
        whole = results(folder / "whole")
        print(f"a run that nobody kills: {len(whole)} cells, {seconds:.0f} s", flush=True)
        n_kills, n_rounds = 0, 0
        while n_kills < asked.kills:
            n_rounds += 1
            executor = EXECUTORS[n_rounds % 2]
            call = [*command, "--out", f"out{n_rounds}", *executor]
            told = []
            for victim in killed(call, folder, f"cache{n_rounds}", seconds, chance):
                told.append(victim)
                n_kills += 1
            found = results(folder / f"out{n_rounds}")
            assert found == whole, f"round {n_rounds}: {different(found, whole)}"
            print(
                f"round {n_rounds}, {executor[-1]}: killed {', '.join(told) or 'none'}; the same", flush=True
            )
    print(f"{n_kills} kills in {n_rounds} rounds: no cell lost, none doubled, all results the same")


def digits(folder: Path, n_takes: int = 12) -> pd.DataFrame:
    """Return takes of every digit by five speakers; a session is a digit."""
    rows = [
        {"path": folder / f"{digit}_{speaker}_{take}.wav", "speaker": speaker, "session": digit}
        for speaker in SPEAKERS
        for digit in range(10)
        for take in range(n_takes)
    ]
    return pd.DataFrame(rows)


def started(command: list[str], folder: Path, cache: str) -> subprocess.Popen[bytes]:
    """Return a run that has begun."""
    environment = {**os.environ, "BENCH_CACHE": str(folder / cache), "OMP_NUM_THREADS": "1"}
    with (folder / LOG).open("wb") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)


def killed(
    command: list[str], folder: Path, cache: str, seconds: float, chance: random.Random
) -> Iterator[str]:
    """Start a run again and again until it ends, and yield what was killed."""
    while True:
        process = started(command, folder, cache)
        try:
            process.wait(chance.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            workers = [
                each for each in psutil.Process(process.pid).children(recursive=True) if is_worker(each)
            ]
            if workers and chance.random() < 0.5:
                chance.choice(workers).kill()
                yield "a worker"
            else:
                process.kill()
                yield "the run"
        if process.wait() != -9:
            assert process.returncode == 0, (folder / LOG).read_text()
            return


def is_worker(process: psutil.Process) -> bool:
    """Return whether a process was made to work."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it has gone meanwhile
        return False


def results(out: Path) -> dict[str, dict[str, object]]:
    """Return key -> all of a result but its cost; every cell must be there once, and be computed."""
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    found = {line["key"]: {name: value for name, value in line.items() if name != "cost"} for line in lines}
    assert len(found) == len(lines), f"{out}: {len(lines) - len(found)} cells are there twice"
    assert all(each["status"] == "ok" for each in found.values()), f"{out}: a cell failed"
    return found


def different(found: dict[str, dict[str, object]], whole: dict[str, dict[str, object]]) -> str:
    """Return which results are not the same."""
    keys = [key for key in found.keys() | whole.keys() if found.get(key) != whole.get(key)]
    return f"{len(keys)} cells differ, such as {whole.get(keys[0])} and {found.get(keys[0])}"


if __name__ == "__main__":
    main()
