"""What the scheduler knows of an executor, and the threads that its processes may use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.catalog import devices

DEATHS = 3
"""Number of deaths of its worker after which a unit fails."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Environment variables from which libraries read their number of threads when they are loaded."""


class WorkerLostError(Exception):
    """A process ended before its unit did, `DEATHS` times.

    Parameters
    ----------
    exitcode : int | None
        Exit code of the last one; -N for signal N.
    """

    def __init__(self, exitcode: int | None) -> None:
        super().__init__(exitcode)
        self.exitcode = exitcode


@dataclass(frozen=True, slots=True)
class Workers:
    """An executor with its properties.

    Parameters
    ----------
    count : Callable[[], int]
        Returns the number of workers.
    in_process : bool
        Whether `submit` returns only when the unit is done.
    blames_others : bool
        Whether a dying worker also takes units down that did not kill it.
    mend : Callable[[], object]
        Replaces workers that have gone for good.
    is_timed : bool
        Whether units have a time limit.
    """

    executor: Executor
    count: Callable[[], int]
    in_process: bool = False
    blames_others: bool = False
    mend: Callable[[], object] = lambda: None
    is_timed: bool = False

    def submit(self, fn: Callable[..., Any], *args: Any, extra_seconds: float = 0.0) -> Future[Any]:
        """Return the future of a unit; `extra_seconds` are added to its time limit, if it has one."""
        options = {"extra_seconds": extra_seconds} if self.is_timed else {}
        return self.executor.submit(fn, *args, **options)

    def limit(self) -> int:
        """Return how many units to submit at once: one per worker and one in reserve.

        At least two, even without a worker: a cluster that grows by demand must see some.
        """
        return 1 if self.in_process else max(2, self.count() + 1)


def thread_limits(jobs: int) -> Mapping[str, str]:
    """Return the environment in which several processes share the cores."""
    return dict.fromkeys(THREADS, str(max(1, devices.threads() // jobs)))


@contextmanager
def shared_cores(jobs: int) -> Iterator[None]:
    """Set the environment for processes that start meanwhile, so that they share the cores."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(thread_limits(jobs))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
