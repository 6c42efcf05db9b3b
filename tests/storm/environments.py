"""Run the commands in odd environments: each works, or says in one line what is wrong.

    python tests/storm/environments.py

Needs Linux; environments that need mounts are left out for a user that may not mount.
"""

import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import common
import numpy as np
import soundfile

SECONDS = 180


@dataclass(frozen=True, slots=True)
class Place:
    """Where commands run.

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


def environments(folder: Path) -> Iterator[Place]:
    """Yield the environments, for a folder that can be written."""
    names = ("[x]", "a b", "a?b", "a*b", "{a,b}", "größe-音", "end/", "quote'", "#tag", "%41")
    for name in names:
        yield Place(f"cache {name}", {"BENCH_CACHE": str(folder / "caches") + f"/{name}"})
        yield Place(f"cache {name}, 2 jobs", {"BENCH_CACHE": str(folder / "caches2") + f"/{name}"}, jobs=2)
    yield Place("relative cache", {"BENCH_CACHE": "relative/[cache]"})
    (folder / "file").write_text("")
    yield Place("cache is a file", {"BENCH_CACHE": str(folder / "file")}, fails="cannot be written")
    yield Place("cache below a file", {"BENCH_CACHE": str(folder / "file" / "x")}, fails="cannot be written")
    yield Place("s3 without s3fs", {"BENCH_CACHE": "s3://bucket/x"}, fails="s3fs")
    yield Place("unknown protocol", {"BENCH_CACHE": "odd://bucket/x"}, fails="odd")
    yield Place("cache in memory", {"BENCH_CACHE": "memory://x"})
    for name in ("C", "POSIX", "tr_TR.UTF-8"):
        yield Place(f"locale {name}", {"LC_ALL": name, "LANG": name})
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    yield Place("ascii alone", ascii_only)
    yield Place("python -O", python="-O")
    yield Place("python -OO", python="-OO")
    yield Place("32 file descriptors", prefix="ulimit -n 32;")
    yield Place("32 file descriptors, 2 jobs", prefix="ulimit -n 32;", jobs=2)
    yield Place("4 GB of address space", prefix="ulimit -v 4194304;")
    yield Place("no variables", {name: None for name in os.environ if name not in {"PATH", "PYTHONPATH"}})
    yield Place("no home", {"HOME": None, "XDG_CACHE_HOME": None})
    yield Place("home is a file", {"HOME": str(folder / "file")})
    yield Place("home does not exist", {"HOME": "/proc/none"})
    yield Place("no cache, no home", {"BENCH_CACHE": None, "HOME": "/proc/none"}, fails="BENCH_CACHE")
    read_only = f"mount --bind {folder} {folder}; mount -o remount,ro,bind /;"
    yield Place("read-only root but the cache", prefix=read_only, heads="umap+svm")
    yield Place("read-only root but the cache, 2 jobs", prefix=read_only, jobs=2)
    yield Place("read-only root", {"BENCH_CACHE": "/read-only"}, prefix=read_only, fails="cannot be written")


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


def fault(case: Place, folder: Path, manifest: Path) -> str:
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


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per environment, at most `n` in a random order."""
    every = [case for case in environments(folder) if "mount" not in case.prefix or can_mount()]
    chance.shuffle(every)
    manifest = corpus(folder / "data")
    for number, case in enumerate(every[:n]):
        yield common.Case(case.name, fault(case, folder / f"w{number}", manifest))


if __name__ == "__main__":
    common.main(storm, 1000)
