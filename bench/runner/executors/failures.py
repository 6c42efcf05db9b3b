"""Why a unit has no outcome."""

from __future__ import annotations

import signal
from concurrent.futures import Future
from typing import Any

from bench.errors import UsageError
from bench.runner.executors.workers import DEATHS, WorkerLostError


def died(future: Future[Any]) -> bool:
    """Return whether Dask gave up a unit because its workers died."""
    return not future.cancelled() and _is_dask_death(future.exception())


def error_of(future: Future[Any]) -> BaseException | None:
    """Return the error that a unit raised.

    Raises
    ------
    UsageError
        If the unit was cancelled: its cluster is lost.
    """
    if future.cancelled():
        raise UsageError(
            "--executor: the cluster is lost; finished cells are stored; run the same command again"
        )
    return future.exception()


def loss(error: BaseException | None) -> str:
    """Return why a worker did not finish its unit; '' for an error that the unit itself raised."""
    if isinstance(error, WorkerLostError):
        code = error.exitcode
        cause = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
        hint = ", as the kernel does when memory runs out" if cause == "SIGKILL" else ""
        return f"its worker died {DEATHS} times ({cause}{hint})"
    if isinstance(error, TimeoutError):
        return "it took longer than --cell-timeout allows"
    if _is_dask_death(error):
        return "its worker died again and again: killed, or out of memory"
    return ""


def _is_dask_death(error: BaseException | None) -> bool:
    return type(error).__name__ == "KilledWorker"  # by name, since Dask is optional
