"""Units in processes of this machine."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import Any

from pebble import ProcessExpired, ProcessPool

from bench.runner.executors.workers import DEATHS, Workers, shared_cores


class Processes(Executor):
    """Runs units in processes; repeats a unit whose process died, but not one that reached its time limit.

    Parameters
    ----------
    timeout : float | None
        Time limit of a unit, in s.
    """

    def __init__(self, jobs: int, timeout: float | None) -> None:
        self._pool = ProcessPool(jobs, initializer=_ignore_interrupts, context=get_context("spawn"))
        self._timeout = timeout

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the future of a unit; `extra_seconds` in `kwargs` are added to its time limit."""
        extra_seconds = kwargs.pop("extra_seconds", 0.0)
        limit = None if self._timeout is None else self._timeout + extra_seconds
        schedule = partial(self._pool.schedule, partial(fn, *args, **kwargs), timeout=limit)
        outcome: Future[Any] = Future()
        _attempt(outcome, schedule, DEATHS)
        return outcome

    def __exit__(self, error: type[BaseException] | None, *details: object) -> None:
        """Wait for the processes to end; kill them after an error."""
        if error:
            self._pool.stop()  # type: ignore[no-untyped-call]
        else:
            self._pool.close()  # type: ignore[no-untyped-call]
        self._pool.join()


def _attempt(outcome: Future[Any], schedule: Callable[[], Future[Any]], attempts: int) -> None:
    """Schedule a unit, and again after every death of its process while attempts are left."""

    def copy_outcome(attempt: Future[Any]) -> None:
        error = None if attempt.cancelled() else attempt.exception()
        if isinstance(error, ProcessExpired) and attempts > 1:
            _attempt(outcome, schedule, attempts - 1)
        elif attempt.cancelled():
            outcome.cancel()
        elif error:
            outcome.set_exception(error)
        else:
            outcome.set_result(attempt.result())

    schedule().add_done_callback(copy_outcome)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C, which reaches every process of the group, to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def workers(jobs: int, timeout: float | None) -> Iterator[Workers]:
    """Yield processes that share the cores."""
    with shared_cores(jobs), Processes(jobs, timeout) as executor:
        yield Workers(executor, count=lambda: jobs, is_timed=True)
