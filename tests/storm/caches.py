"""Damage files of the cache at random places, and compare the predictions of the next run.

    python tests/storm/caches.py --n 500

A damaged file must be noticed and its clips embedded again: every run ends with exit code 0 and with the
predictions of a whole cache.
"""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import common
from click.testing import CliRunner

from bench import cli
from bench.store import Store


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per damage."""
    table = folder / "digits.csv"
    common.digits(n_takes=2).to_csv(table, index=False)
    whole = folder / "whole"
    expected = predictions(table, whole, folder / "first")
    files = [path for path in sorted(whole.rglob("*")) if path.is_file() and path.stat().st_size]
    for number in range(n):
        cache = folder / "cache"
        shutil.copytree(whole, cache)
        path = chance.choice(files)
        name, content = common.damage(path.read_bytes(), chance)
        (cache / path.relative_to(whole)).write_bytes(content)
        out = folder / "out"
        try:
            same = predictions(table, cache, out) == expected
            fault = "" if same else "other predictions"
        except RuntimeError as error:
            fault = str(error)
        yield common.Case(f"{number} {name} in {path.relative_to(whole).parts[0]}/*{path.suffix}", fault)
        for used in (cache, out):
            shutil.rmtree(used, ignore_errors=True)


def predictions(table: Path, cache: Path, out: Path) -> dict[str, str]:
    """Return key -> fingerprint of the predictions of a run."""
    os.environ["BENCH_CACHE"] = str(cache)
    call = ["run", "--tasks", "speaker", "--datasets", str(table), "--out", str(out)]
    done = CliRunner().invoke(cli.main, [*call, "--extractors", "mfcc-13", "--heads", "lda,logreg-frames"])
    if done.exit_code or "Traceback" in done.stderr:
        raise RuntimeError(f"exit code {done.exit_code}, {done.exception!r}: {done.stderr[-300:]}")
    return {key: result.predictions for key, result in Store(out).results().items()}


if __name__ == "__main__":
    common.main(storm, 500)
