"""Let workers die at their start: every run must end, and lose nothing.

    python tests/storm/workers.py --n 50

A worker dies when it starts, while it imports, or just before its first unit; of a signal, or with an exit
code. Its run must end with the results of an undisturbed one, or with cells that name three deaths.
"""

import os
import random
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import common

EXECUTORS = (["--jobs", "2"], ["--jobs", "2", "--executor", "dask"])
CALL = ["run", "--tasks", "gender", "--datasets", "demo", "--extractors", "mfcc-13", "--heads", "lda,knn"]
SECONDS = 180

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
    variables = {"PYTHONPATH": paths, "BENCH_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **variables, "STORM_DEATHS": str(folder / "deaths" / mark)}


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
        return "" if common.results(folder / mark) == whole else f"{n_deaths} deaths: other results"
    if code == 2:  # of a cluster whose workers do not start
        return "" if "died" in last or "lost" in last else f"{n_deaths} deaths: {last}"
    ends = common.results(folder / mark).values()
    wrong = [end for end in ends if end["status"] != "ok" and "died" not in str(end["reason"])]
    return f"{n_deaths} deaths: {wrong[0]['reason']}" if wrong else ""


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per run."""
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(CUSTOMIZE)
    (folder / "deaths" / "whole").mkdir(parents=True)
    assert start(folder, [], "whole").wait() == 0, (folder / "whole.txt").read_text()
    whole = common.results(folder / "whole")
    for number in range(n):
        for file in (folder / "cache").glob("embeddings-*/*/*"):
            file.unlink()
        yield common.Case(str(number), die_at_start(folder, chance, whole))


if __name__ == "__main__":
    common.main(storm, 50)
