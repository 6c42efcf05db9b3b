"""Units in this process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from bench.runner.executors.workers import Workers


class InProcess(Executor):
    """Runs a unit at once, in the thread that submits it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def workers() -> Workers:
    """Return this process as the one worker."""
    return Workers(InProcess(), count=lambda: 1, in_process=True)
