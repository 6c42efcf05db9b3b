"""Let workers die at their start, and kill runs: every run must end, lose nothing, and leave no process.

    python tests/storm/workers.py --seed 0 --n 50

A worker dies when it starts, while it imports, or just before its first unit; of a signal, or with an exit
code. Its run must end with the results of an undisturbed one, or with cells that name three deaths. A run
that is killed must leave no process after 2 s. Prints a JSON line.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

import psutil

EXECUTORS = (["--jobs", "2"], ["--jobs", "2", "--executor", "dask"])
CALL = ["run", "--tasks", "gender", "--datasets", "demo", "--extractors", "mfcc-13", "--heads", "lda,knn"]
MARK = "STORM_MARK"
SECONDS = 180
LEFT_SECONDS = 2.0

CUSTOMIZE = '''
import os, signal, sys
from contextlib import suppress
from pathlib import Path

def die(code):
    exec(code, {"os": os, "signal": signal})

class Deadly:
    """Dies when a module is imported."""
    def __init__(self, module, code):
        self.module, self.code = module, code
    def find_spec(self, name, path=None, target=None):
        if name == self.module:
            die(self.code)

if "spawn_main" in " ".join(sys.orig_argv):
    for death in sorted(Path(os.environ["STORM_DEATHS"]).glob("*")):
        with suppress(FileNotFoundError):  # another worker has died of it
            moment, code = death.read_text().split("|")
            death.unlink()
            if moment == "start":
                die(code)
            sys.meta_path.insert(0, Deadly(moment, code))
            break
'''

MOMENTS = ("start", "multiprocessing.reduction", "bench.worker", "numpy", "bench.runner.execution", "sklearn")
"""When a worker dies: at its start, or when it imports a module."""

CODES = (
    "os.kill(os.getpid(), signal.SIGKILL)",
    "os.kill(os.getpid(), signal.SIGSEGV)",
    "os.kill(os.getpid(), signal.SIGTERM)",
    "os.abort()",
    "os._exit(0)",
    "os._exit(1)",
    "os._exit(137)",
)


def environment(folder: Path, mark: str) -> Mapping[str, str]:
    """Return the environment of a run that workers read their deaths from."""
    paths = f"{folder / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    own = {"PYTHONPATH": paths, "BENCH_CACHE": str(folder / "cache"), MARK: mark, "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own, "STORM_DEATHS": str(folder / "deaths" / mark)}


def left(mark: str) -> list[str]:
    """Return the command lines of a run's processes that live."""
    lines = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                lines.append(" ".join(process.cmdline()))
        except psutil.Error:  # it has gone meanwhile, or belongs to somebody else
            continue
    return lines


def results(out: Path) -> dict[str, dict[str, object]]:
    """Return key -> all of a result but its cost."""
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    return {line["key"]: {name: v for name, v in line.items() if name != "cost"} for line in lines}


def start(folder: Path, executor: list[str], mark: str) -> subprocess.Popen[str]:
    """Return a run that has begun, with an empty cache but for the corpus."""
    command = [sys.executable, "-m", "bench", *CALL, "--out", mark, *executor]
    log = (folder / f"{mark}.txt").open("w")
    return subprocess.Popen(
        command, cwd=folder, env=environment(folder, mark), stdout=log, stderr=log, text=True
    )


def die_at_start(folder: Path, chance: random.Random, whole: Mapping[str, object]) -> str:
    """Let some workers of a run die, and return what is wrong with its end, or ''."""
    mark = uuid.UUID(int=chance.getrandbits(128)).hex
    deaths = folder / "deaths" / mark
    deaths.mkdir(parents=True)
    n_deaths = chance.choice((1, 1, 2, 3, 5, 40))
    for number in range(n_deaths):
        moment = "start" if n_deaths == 40 else chance.choice(MOMENTS)
        (deaths / f"{number:03}").write_text(f"{moment}|{chance.choice(CODES)}")
    process = start(folder, chance.choice(EXECUTORS), mark)
    try:
        code = process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        return f"{n_deaths} deaths: takes more than {SECONDS} s"
    text = (folder / f"{mark}.txt").read_text()
    last = (text.strip().splitlines() or [""])[-1]
    if "Traceback" in text:
        return f"{n_deaths} deaths: a traceback: {last}"
    if code == 0:
        return "" if results(folder / mark) == whole else f"{n_deaths} deaths: other results"
    if code == 2:  # of a cluster whose workers do not start
        return "" if "died" in last or "lost" in last else f"{n_deaths} deaths: {last}"
    ends = results(folder / mark).values()
    wrong = [end for end in ends if end["status"] != "ok" and "died" not in str(end["reason"])]
    return f"{n_deaths} deaths: {wrong[0]['reason']}" if wrong else ""


def kill_run(folder: Path, chance: random.Random, whole: Mapping[str, object]) -> str:
    """Kill a run at some moment, and return what it leaves, or ''."""
    mark = uuid.UUID(int=chance.getrandbits(128)).hex
    process = start(folder, chance.choice(EXECUTORS), mark)
    time.sleep(chance.uniform(1, 12))
    process.kill()
    process.wait()
    time.sleep(LEFT_SECONDS)
    lines = left(mark)
    return f"left after {LEFT_SECONDS:.0f} s: {lines[0]}" if lines else ""


def main() -> None:
    """Try as many runs as asked for, and print what held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=50, help="number of runs whose workers die")
    parser.add_argument("--kills", type=int, default=0, help="number of runs that are killed")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    faults = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(CUSTOMIZE)
        (folder / "deaths" / "whole").mkdir(parents=True)
        if start(folder, [], "whole").wait():
            sys.exit((folder / "whole.txt").read_text())
        whole = results(folder / "whole")
        for number, attempt in enumerate([die_at_start] * asked.n + [kill_run] * asked.kills):
            for file in (folder / "cache").glob("embeddings-*/*/*"):
                file.unlink()
            fault = attempt(folder, chance, whole)
            print(f"{number}: {fault or 'held'}", file=sys.stderr, flush=True)
            faults += [fault] if fault else []
    tried = asked.n + asked.kills
    print(json.dumps({"tried": tried, "held": tried - len(faults), "faults": faults}))


if __name__ == "__main__":
    main()
