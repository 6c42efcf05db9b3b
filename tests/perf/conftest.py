"""What the benchmarks share. They are run by `tox -e perf`, which shows what ratios.json holds beside.

`tox -e perf -- --store-ratios` replaces what it holds of the benchmarks that were run.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tabulate import tabulate

STORED = Path(__file__).parent / "ratios.json"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--store-ratios", action="store_true", help=f"write {STORED.name}")


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """Show every benchmark's figures beside those of the last time that they were stored."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    ran = {each.name: each.extra_info for each in config._benchmarksession.benchmarks}
    now = {name: {of: round(float(x), 3) for of, x in told.items()} for name, told in ran.items()}
    rows = [
        [name, of, value, stored.get(name, {}).get(of)]
        for name, told in now.items()
        for of, value in told.items()
    ]
    terminalreporter.write_line(tabulate(rows, ["benchmark", "figure", "now", "stored"]))
    if config.getoption("--store-ratios"):
        text = json.dumps(dict(sorted({**stored, **now}.items())), indent=2)
        STORED.write_text(text + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def fastest() -> Callable[..., list[float]]:
    """Return a clock of the fastest of several rounds of every side, in s, after one to warm up.

    The sides take turns, and the fastest counts, since a busy machine only ever adds time.
    """

    def clock(*sides: Callable[[], object], rounds: int = 3) -> list[float]:
        times = [[] for _ in sides]
        for number in range(rounds + 1):
            for side, taken in zip(sides, times, strict=True):
                start = time.perf_counter()
                side()
                if number:
                    taken.append(time.perf_counter() - start)
        return [min(taken) for taken in times]

    return clock
