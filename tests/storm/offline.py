"""Run every command without a network.

    python tests/storm/offline.py

None but `bench fetch` may try to connect to anything beyond this machine; that one ends in one line.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import common

GUARD = """
import os, socket
connect, lookup = socket.socket.connect, socket.getaddrinfo
def note(address):
    host = str(address[0] if isinstance(address, tuple) else address)
    if not host.startswith(("127.", "/", "localhost", "::1")):
        with open(os.environ["BENCH_ATTEMPTS"], "a") as file:
            file.write(host + "\\n")
        raise OSError(101, "Network is unreachable")
def refuse(self, address):
    note(address)
    return connect(self, address)
def fail(host, *args, **kwargs):
    note((host,))
    return lookup(host, *args, **kwargs)
socket.socket.connect, socket.getaddrinfo = refuse, fail
"""

RUN = "run --tasks speaker --datasets digits.csv --extractors mfcc-13,spectral --heads lda"
COMMANDS = (
    *(f"{RUN} {more}" for more in ("", "--jobs 2", "--jobs 2 --executor dask", "--seeds 0,1 --save-models")),
    *("list", "list extractors", "check mfcc-13", "data check digits.csv"),
    "data split digits.csv --task speaker --out split.csv",
    *("report bench-out", "report bench-out --format md,html,csv,json", "report bench-out --publish mine"),
    *("compare mine/baseline.jsonl bench-out", "audit bench-out", "rerun bench-out/run.json"),
    *("embed digits.csv --extractors mfcc-13 --out e.parquet", "cache info", "new head my-head"),
)
FETCH = "fetch fsdd"


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per command, the first `n`."""
    (folder / "sitecustomize.py").write_text(GUARD)
    common.digits(n_takes=1).to_csv(folder / "digits.csv", index=False)
    for command in (*COMMANDS, FETCH)[:n]:
        done = run(folder, command)
        attempts = (folder / "attempts").read_text() if (folder / "attempts").exists() else ""
        (folder / "attempts").unlink(missing_ok=True)
        fault = f"connects to {attempts}" if attempts and command != FETCH else ""
        if done.returncode != (2 if command == FETCH else 0) or "Traceback" in done.stderr:
            fault += f"exit code {done.returncode}: {done.stderr.strip()[-200:]}"
        yield common.Case(f"bench {command}", fault)


def run(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Return the ended process of a command whose connections are refused."""
    environment = {**os.environ, "BENCH_CACHE": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    environment |= {"PYTHONPATH": os.pathsep.join(paths), "BENCH_ATTEMPTS": str(folder / "attempts")}
    call = [sys.executable, "-m", "bench", *command.split()]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True)


if __name__ == "__main__":
    common.main(storm, len(COMMANDS) + 1)
