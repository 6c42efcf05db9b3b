"""What the benchmarks share. They are run by `tox -e perf`."""

import time
from collections.abc import Callable

import pytest


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
