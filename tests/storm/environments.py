"""Run the commands in odd environments: each works, or says in one line what is wrong.

    python tests/storm/environments.py --seed 0

Needs Linux; cases that need mounts are left out for a user who may not mount. Prints a JSON line.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

SECONDS = 180


@dataclass(frozen=True, slots=True)
class Case:
    """An environment.

    Parameters
    ----------
    variables : dict[str, str | None]
        Environment variables; None removes one.
    prefix : str
        Shell code before the commands, such as limits.
    fails : str
        What the one line says; '' if the commands work.
    """

    name: str
    variables: dict[str, str | None] = field(default_factory=dict)
    prefix: str = ""
    fails: str = ""
    python: str = ""
    jobs: int = 1
    heads: str = "lda"


def cases(folder: Path) -> Iterator[Case]:
    """Yield the environments, for a folder that can be written."""
    names = ("[x]", "a b", "a?b", "a*b", "{a,b}", "größe-音", "end/", "quote'", "#tag", "%41")
    for name in names:
        yield Case(f"cache {name}", {"BENCH_CACHE": str(folder / "caches") + f"/{name}"})
        yield Case(f"cache {name}, 2 jobs", {"BENCH_CACHE": str(folder / "caches2") + f"/{name}"}, jobs=2)
    yield Case("relative cache", {"BENCH_CACHE": "relative/[cache]"})
    (folder / "file").write_text("")
    yield Case("cache is a file", {"BENCH_CACHE": str(folder / "file")}, fails="cannot be written")
    yield Case("cache below a file", {"BENCH_CACHE": str(folder / "file" / "x")}, fails="cannot be written")
    yield Case("s3 without s3fs", {"BENCH_CACHE": "s3://bucket/x"}, fails="s3fs")
    yield Case("unknown protocol", {"BENCH_CACHE": "odd://bucket/x"}, fails="odd")
    yield Case("cache in memory", {"BENCH_CACHE": "memory://x"})
    for name in ("C", "POSIX", "tr_TR.UTF-8"):
        yield Case(f"locale {name}", {"LC_ALL": name, "LANG": name})
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    yield Case("ascii alone", ascii_only)
    yield Case("python -O", python="-O")
    yield Case("python -OO", python="-OO")
    yield Case("32 file descriptors", prefix="ulimit -n 32;")
    yield Case("32 file descriptors, 2 jobs", prefix="ulimit -n 32;", jobs=2)
    yield Case("4 GB of address space", prefix="ulimit -v 4194304;")
    yield Case("no variables", {name: None for name in os.environ if name not in {"PATH", "PYTHONPATH"}})
    yield Case("no home", {"HOME": None, "XDG_CACHE_HOME": None})
    yield Case("home is a file", {"HOME": str(folder / "file")})
    yield Case("home does not exist", {"HOME": "/proc/none"})
    yield Case("no cache, no home", {"BENCH_CACHE": None, "HOME": "/proc/none"}, fails="BENCH_CACHE")
    read_only = f"mount --bind {folder} {folder}; mount -o remount,ro,bind /;"
    yield Case("read-only root but the cache", prefix=read_only, heads="umap+svm")
    yield Case("read-only root but the cache, 2 jobs", prefix=read_only, jobs=2)
    yield Case("read-only root", {"BENCH_CACHE": "/read-only"}, prefix=read_only, fails="cannot be written")


def corpus(folder: Path) -> Path:
    """Return a manifest of 12 short recordings by 4 speakers."""
    folder.mkdir()
    lines = ["path,speaker,session"]
    noise = np.random.default_rng(0)
    for n in range(12):
        speaker, time = n % 4, np.arange(8000) / 8000
        audio = 0.3 * np.sin(2 * np.pi * 200 * (1 + speaker) * time) + 0.05 * noise.standard_normal(8000)
        soundfile.write(folder / f"clip {n}.wav", audio, 8000)
        lines.append(f"clip {n}.wav,s{speaker},{n // 4}")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n")
    return folder / "clips.csv"


def fault(case: Case, folder: Path, manifest: Path) -> str:
    """Return what is wrong in an environment, or ''."""
    folder.mkdir()
    call = (
        f"run --tasks speaker --split cv:3 --datasets '{manifest}' --extractors mfcc-13 --heads {case.heads}"
    )
    expected = 2 if case.fails else 0
    commands = {f"{call} --jobs {case.jobs}": expected, "list": 0}
    commands |= {} if case.fails else {"report bench-out": 0, "audit bench-out": 0}
    environment = {"BENCH_CACHE": str(folder / "cache"), **os.environ}
    environment["BENCH_CACHE"] = str(folder / "cache")
    for name, value in case.variables.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
    for words, code in commands.items():
        shell = f"{case.prefix} cd '{folder}' && exec '{sys.executable}' {case.python} -m bench {words}"
        command = ["unshare", "-m", "bash", "-c", shell] if "mount" in case.prefix else ["bash", "-c", shell]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, errors="replace", timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"{words.split()[0]}: takes more than {SECONDS} s"
        last = (done.stderr.strip().splitlines() or [""])[-1]
        if done.returncode != code or "Traceback" in done.stderr:
            return f"{words.split()[0]}: exit code {done.returncode}: {last[:300]}"
        if code and not (last.startswith("Error: ") and case.fails in last):
            return f"{words.split()[0]}: says {last[:300]}"
        if re.search(r"Error: \S+: (None)?$", done.stderr):
            return f"{words.split()[0]}: {last[:300]}"
    return ""


def can_mount() -> bool:
    """Return whether this user may mount."""
    command = ["unshare", "-m", "mount", "-o", "remount,ro,bind", "/"]
    return not subprocess.run(command, capture_output=True, check=False).returncode


def main() -> None:
    """Try the environments in a random order, and print what held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=1000, help="number of environments to try at most")
    parser.add_argument("--only", default="", help="part of the names to try")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        every = [case for case in cases(folder) if asked.only in case.name]
        if not can_mount():
            every = [case for case in every if "mount" not in case.prefix]
        random.Random(asked.seed).shuffle(every)
        manifest = corpus(folder / "data")
        faults = {}
        for number, case in enumerate(every[: asked.n]):
            why = fault(case, folder / f"w{number}", manifest)
            print(f"{case.name}: {why or 'held'}", file=sys.stderr, flush=True)
            if why:
                faults[case.name] = why
    tried = min(asked.n, len(every))
    print(json.dumps({"tried": tried, "held": tried - len(faults), "faults": faults}))


if __name__ == "__main__":
    main()
