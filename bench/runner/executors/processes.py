"""Units in processes of this machine."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import Any

from bench.runner.executors.workers import DEATHS, WorkerLostError, Workers, shared_cores
from bench.worker import serve

SPAWN = get_context("spawn")

LOOK_SECONDS = 1.0
"""Time between two looks at whether a silent worker is alive, in s."""

END_SECONDS = 3.0
"""Time that a worker without a pipe has to end, in s."""


class Processes(Executor):
    """Runs units in processes; repeats a unit whose process died, but not one that reached its time limit.

    A thread per process sends it units through a pipe of its own. A pipe that all processes share, as
    pools of libraries have, is blocked or torn for all when one dies while it reads or writes.

    Parameters
    ----------
    timeout : float | None
        Time limit of a unit, in s.
    """

    def __init__(self, jobs: int, timeout: float | None) -> None:
        self._threads = ThreadPoolExecutor(jobs)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._is_closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the future of a unit; `extra_seconds` in `kwargs` are added to its time limit."""
        extra_seconds = kwargs.pop("extra_seconds", 0.0)
        limit = None if self._timeout is None else self._timeout + extra_seconds
        return self._threads.submit(self._compute, partial(fn, *args, **kwargs), limit)

    def _compute(self, unit: Callable[[], Any], limit: float | None, deaths: int = DEATHS) -> Any:
        """Compute a unit in an idle process, and again in another one after a death while some are left."""
        process = self._take()
        try:
            value, error = process.compute(unit, limit)
        except WorkerLostError:
            self._give_back(process, is_fit=False)
            if deaths > 1:
                return self._compute(unit, limit, deaths - 1)
            raise
        except BaseException:
            self._give_back(process, is_fit=False)
            raise
        self._give_back(process, is_fit=True)
        if error:
            raise error
        return value

    def _take(self) -> _Process:
        """Return an idle process, or a new one."""
        with self._lock:
            if self._is_closed:
                raise CancelledError
            process = self._idle.pop() if self._idle else _Process()
            self._busy.add(process)
            return process

    def _give_back(self, process: _Process, *, is_fit: bool) -> None:
        """Make a process idle, or kill it."""
        with self._lock:
            self._busy.discard(process)
            if is_fit:
                self._idle.append(process)
        if not is_fit:
            process.kill()

    def __exit__(self, error: type[BaseException] | None, *details: object) -> None:
        """Wait for the processes to end; kill them after an error."""
        with self._lock:
            self._is_closed = error is not None
            if error:
                for process in self._busy:
                    process.kill()
        self._threads.shutdown(cancel_futures=error is not None)
        for process in self._idle:
            process.close()
        for process in self._idle:
            process.kill(END_SECONDS)


class _Process:
    """A worker process, and this end of its pipe."""

    def __init__(self) -> None:
        self._pipe, other_end = SPAWN.Pipe()
        self._process = SPAWN.Process(target=serve, args=(other_end,))
        self._process.start()
        other_end.close()

    def compute(self, unit: Callable[[], Any], limit: float | None) -> tuple[Any, BaseException | None]:
        """Return the value of a unit, or the error that it raised.

        Raises
        ------
        WorkerLostError
            If the process ended first.
        TimeoutError
            If the unit took longer than `limit`, in s, from the moment when the process has received it.
        """
        try:
            self._pipe.send(unit)
            self._receive(None)
            value, error = self._receive(limit)
        except TimeoutError:
            raise
        except (EOFError, OSError) as end:
            self.kill(END_SECONDS)
            raise WorkerLostError(self._process.exitcode) from end
        return value, error

    def _receive(self, limit: float | None) -> Any:
        """Return the next message; look at the process too, since a child of it may hold the pipe open."""
        end = math.inf if limit is None else time.monotonic() + limit
        while not self._pipe.poll(max(0.0, min(LOOK_SECONDS, end - time.monotonic()))):
            if time.monotonic() >= end:
                raise TimeoutError
            if not self._process.is_alive():
                raise EOFError
        return self._pipe.recv()

    def close(self) -> None:
        """Let the process end by itself."""
        self._pipe.close()

    def kill(self, seconds: float = 0.0) -> None:
        """End the process, after some time to end by itself, in s."""
        self._process.join(seconds)
        self._process.kill()
        self._process.join()


@contextmanager
def workers(jobs: int, timeout: float | None) -> Iterator[Workers]:
    """Yield processes that share the cores."""
    with shared_cores(jobs), Processes(jobs, timeout) as executor:
        yield Workers(executor, count=lambda: jobs, is_timed=True)
