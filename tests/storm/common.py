"""What the storms share: their command line, their outcome, and recordings to damage."""

import argparse
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import pandas as pd

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("BENCH_TEST_DATA", ROOT.parent / "shared" / "data"))
SPEAKERS = ("jackson", "nicolas", "theo", "george", "lucas")


@dataclass(frozen=True, slots=True)
class Case:
    """One try of a storm: what was done, and what was wrong with the outcome ('' if it held)."""

    name: str
    fault: str = ""


Storm = Callable[[Path, int, random.Random], Iterator[Case]]
"""Takes an empty folder, a number of cases and a generator; yields the cases."""


def main(storm: Storm, n: int) -> None:
    """Run a storm of `n` cases, or of as many as the command line says, and print its outcome as JSON."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--n", type=int, default=n, help="number of cases")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        cases = []
        for case in storm(Path(folder).resolve(), options.n, random.Random(options.seed)):
            cases.append(case)
            if case.fault:
                sys.stderr.write(f"{case.name}: {case.fault}\n")
    faults = [f"{case.name}: {case.fault}" for case in cases if case.fault]
    outcome = {"tried": len(cases), "held": len(cases) - len(faults), "faults": faults}
    sys.stdout.write(json.dumps(outcome) + "\n")
    sys.exit(bool(faults))


def tested(folder: Path, *words: str) -> Iterator[Case]:
    """Run tests with pytest, and yield a case per test."""
    report = folder / "tests.xml"
    call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}", *words]
    subprocess.run(call, cwd=ROOT, stdout=sys.stderr)
    for test in ElementTree.parse(report).iter("testcase"):
        failures = [*test.iter("failure"), *test.iter("error"), *test.iter("skipped")]
        yield Case(test.get("name", ""), failures[0].get("message", "fails")[:200] if failures else "")


def digits(n_takes: int = 12) -> pd.DataFrame:
    """Return takes of every spoken digit by five speakers; a session is a digit."""
    rows = [
        {"path": DATA / "fsdd" / f"{digit}_{speaker}_{take}.wav", "speaker": speaker, "session": digit}
        for speaker in SPEAKERS
        for digit in range(10)
        for take in range(n_takes)
    ]
    return pd.DataFrame(rows)


def results(out: Path) -> dict[str, dict[str, object]]:
    """Return key -> fields of a result without its cost; every key must be unique."""
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    cells = {line["key"]: {name: value for name, value in line.items() if name != "cost"} for line in lines}
    assert len(cells) == len(lines), f"{out}: {len(lines) - len(cells)} cells are there twice"
    return cells


def damage(content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """Return the name of a random damage, and the damaged bytes."""
    name = chance.choice(("cut", "zeros", "flips", "noise", "swap", "hole"))
    size = len(content)
    start = chance.randrange(size)
    length = min(chance.choice((1, 16, 512, 4096)), size - start)
    if name == "cut":
        return name, content[:start]
    damaged = bytearray(content)
    block = slice(start, start + length)
    if name == "zeros":
        damaged[block] = bytes(length)
    elif name == "flips":
        for _ in range(chance.choice((1, 8, 64))):
            damaged[chance.randrange(size)] ^= 1 << chance.randrange(8)
    elif name == "noise":
        damaged[block] = chance.randbytes(length)
    elif name == "swap":
        other = chance.randrange(size - length + 1)
        damaged[block], damaged[other : other + length] = content[other : other + length], content[block]
    else:
        del damaged[block]
    return name, bytes(damaged)
