"""Damage every file that a run leaves, and give the folder to every command.

    python tests/storm/truncations.py --n 400

A command holds if it ends with 0, 1 or 2, without a traceback, and prints no other score than that of the
undamaged run.
"""

import contextlib
import json
import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import common
import numpy as np
import soundfile
from click.testing import CliRunner, Result

from bench import cli

RUN = ["run", "--datasets", "audio/clips.csv", "--tasks", "gender", "--extractors", "mfcc-13"]
RUN += ["--heads", "lda,kmeans", "--out", "out", "--save-models"]
COMMANDS = {
    "run": RUN,
    "report": ["report", "out", "--format", "md,csv,json,latex,model-index", "--by", "session"],
    "html": ["report", "out", "--format", "html"],
    "publish": ["report", "out", "--publish", "published"],
    "compare with a baseline": ["compare", "published/baseline.jsonl", "out"],
    "compare with a run": ["compare", "out", "again"],
    "compare a run": ["compare", "again", "out"],
    "audit": ["audit", "out"],
    "rerun": ["rerun", "out/run.json", "--out", "rerun"],
    "list": ["list", "datasets"],
    "data check": ["data", "check", "audio/clips.csv"],
}
FOLDERS = ("out", "published", "cache")

Damage = Callable[[bytes, random.Random], bytes]

DAMAGES: dict[str, Damage] = {
    "at 0": lambda content, _: b"",
    "at 1": lambda content, _: content[:1],
    "at half": lambda content, _: content[: len(content) // 2],
    "at -1": lambda content, _: content[:-1],
    "zeros": lambda content, _: bytes(len(content)),
    "a block of zeros": lambda content, chance: _zeroed(content, chance.randrange(max(1, len(content)))),
}

LINES = (
    b"null",
    b"3",
    b'"x"',
    b"[]",
    b"{}",
    b"\xff\xfe",
    b"1e999",
    b"[" * 100_000,
    b'{"a": 1, "a": 2}',
    b"NaN",
)
"""Lines that are no result, and values that are no record of a run."""

VALUES = (None, 3, -1, 2.5, "x", "", [], {}, [None], {"a": None}, True, 1e300, "\0", ["x"], "../..")


def _zeroed(content: bytes, start: int) -> bytes:
    return content[:start] + bytes(len(content[start : start + 512])) + content[start + 512 :]


@dataclass(frozen=True)
class Trial:
    """A file below the folder, its damage, and the command that meets it."""

    path: str
    damage: str
    command: str


def clips(folder: Path) -> None:
    """Write tones of two kinds of voices, with a manifest."""
    folder.mkdir()
    rows = ["path,gender,speaker,session"]
    rng = np.random.default_rng(0)
    for number in range(24):
        gender = "fm"[number % 2]
        pitch = (220 if gender == "f" else 110) * (1 + number / 100)
        tone = np.sin(2 * np.pi * pitch * np.arange(4000) / 8000) + rng.normal(0, 0.3, 4000)
        soundfile.write(folder / f"{number}.wav", 0.2 * tone, 8000)
        rows.append(f"{number}.wav,{gender},s{number % 12},{number % 3}")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")


def call(words: list[str]) -> Result:
    """Return what a command does."""
    return CliRunner().invoke(cli.main, words)


def edited(content: bytes, chance: random.Random) -> bytes:
    """Return a JSON text with one value replaced or removed, at any depth, or with a line that is none."""
    if chance.random() < 0.2:
        return chance.choice(LINES) + b"\n"
    lines = content.split(b"\n")
    several = content.count(b'{"schema"') > 1 or lines[0].startswith(b'{"key"')
    number = chance.randrange(len(lines) - 1) if several else 0
    if several and chance.random() < 0.3:
        return b"\n".join([*lines[:number], chance.choice(LINES), *lines[number:]])
    value = json.loads(lines[number] if several else content)
    node, key = chance.choice(list(_places(value)))
    if chance.random() < 0.2:
        del node[key]
    else:
        node[key] = chance.choice(VALUES)
    text = json.dumps(value).encode()
    return b"\n".join([*lines[:number], text, *lines[number + 1 :]]) if several else text


def _places(value: object) -> Iterator[tuple[object, object]]:
    """Yield every place in a value, with what holds it."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def scores(text: str) -> set[str]:
    """Return the scores with their intervals in the rows of leaderboards."""
    return set(re.findall(r"\d\.\d{3}\D{1,6}\[\d\.\d{3}, \d\.\d{3}\]", text))


def fault(root: Path, good: Path, trial: Trial, chance: random.Random, right: set[str]) -> str:
    """Return what is wrong with a command after a damage; empty if it holds."""
    for folder in FOLDERS:
        shutil.rmtree(root / folder, ignore_errors=True)
        shutil.copytree(good / folder, root / folder)
    shutil.rmtree(root / "rerun", ignore_errors=True)
    path = root / trial.path
    damage = edited if trial.damage == "edited" else DAMAGES[trial.damage]
    path.write_bytes(damage(path.read_bytes(), chance))
    result = call(COMMANDS[trial.command])
    if result.exception and not isinstance(result.exception, SystemExit):
        return f"{type(result.exception).__name__}: {result.exception}"[:300]
    if result.exit_code == 2 and len(result.stderr.strip().splitlines()) != 1:
        return f"no single line: {result.stderr}"[:300]
    if "None" in result.stderr:
        return f"says nothing: {result.stderr}"[:300]
    wrong = scores(result.stdout) - right
    return f"other scores: {wrong}" if wrong and trial.command != "compare" else ""


@contextlib.contextmanager
def prepared(folder: Path) -> Iterator[tuple[Path, Path, set[str]]]:
    """Yield a working folder, a copy of what the run left, and its scores."""
    before = Path.cwd(), dict(os.environ)
    root, good = folder / "work", folder / "good"
    root.mkdir()
    os.chdir(root)
    os.environ["BENCH_CACHE"] = str(root / "cache")
    try:
        clips(root / "audio")
        right = set()
        for words in (RUN, COMMANDS["report"], COMMANDS["publish"], [*RUN[:-3], "--out", "again"]):
            result = call(words)
            assert result.exit_code == 0, result.output
            right |= scores(result.stdout)
        for name in FOLDERS:
            shutil.copytree(root / name, good / name)
        yield root, good, right
    finally:
        os.chdir(before[0])
        os.environ.clear()
        os.environ.update(before[1])


def trials(root: Path, chance: random.Random) -> list[Trial]:
    """Return every file with every damage and command, shuffled."""
    files = [
        str(path.relative_to(root))
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and path.suffix not in {".lock", ".png"} and "embeddings" not in str(path)
    ]
    edits = [(path, "edited") for path in files if Path(path).name in {"run.json", "results.jsonl"}]
    pairs = [(path, damage) for path in files for damage in DAMAGES] + 20 * edits
    every = [Trial(path, damage, command) for path, damage in pairs for command in COMMANDS]
    chance.shuffle(every)
    return every


def storm(
    folder: Path, n: int, chance: random.Random, commands: tuple[str, ...] = tuple(COMMANDS)
) -> Iterator[common.Case]:
    """Yield a case per damaged file and command."""
    with prepared(folder) as (root, good, right):
        chosen = [trial for trial in trials(root, chance) if trial.command in commands][:n]
        for number, trial in enumerate(chosen):
            name = f"{number} {trial.path} {trial.damage}, {trial.command}"
            yield common.Case(name, fault(root, good, trial, chance, right))


if __name__ == "__main__":
    common.main(storm, 400)
