"""One worker, and a queue of bounded length before it."""

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect

from bench.serving.limits import RefusalError

T = TypeVar("T")

SMOOTHING = 0.2
"""Weight of the newest answer in the mean time of an answer."""


class Queue:
    """One thread that answers one request after another, while a bounded number of them wait.

    Parameters
    ----------
    size : int
        Number of requests that wait.

    Attributes
    ----------
    n_jobs : int
        Number of requests that wait or are answered.
    """

    def __init__(self, size: int) -> None:
        self.n_jobs = 0
        self._size = size
        self._seconds = 1.0  # mean time of an answer
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="answers")

    def admit(self) -> None:
        """Raise RefusalError (429) if no further request may wait; it says when to come again."""
        if self.n_jobs > self._size:
            seconds = max(1, math.ceil(self._seconds * self.n_jobs / 2))
            line = f"{self.n_jobs} requests are before this one; send it again in {seconds} s"
            raise RefusalError(429, line, {"Retry-After": str(seconds)})

    async def answer(
        self, work: Callable[[], T], end: Callable[[], None], gone: Callable[[], Awaitable[object]]
    ) -> T:
        """Return what a function returns, which the worker calls in its turn.

        Parameters
        ----------
        work : Callable[[], T]
            Runs in the worker's thread.
        end : Callable[[], None]
            Called once: after the work, or where it never starts.
        gone : Callable[[], Awaitable[object]]
            Returns what ends when nobody waits for the answer any more.

        Raises
        ------
        RefusalError
            If the queue is full (429).
        ClientDisconnect
            If nobody waits any more: work that has not begun is dropped, else it goes on alone.
        """
        try:
            self.admit()
        except RefusalError:
            end()
            raise
        self._count(1)
        job = self._worker.submit(self._timed, work, asyncio.get_running_loop().time)

        def done(_: object) -> None:
            end()
            self._count(-1)

        job.add_done_callback(done)
        answer: asyncio.Future[T] = asyncio.wrap_future(job)
        watch: asyncio.Future[object] = asyncio.ensure_future(gone())
        both: set[asyncio.Future[Any]] = {answer, watch}
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise ClientDisconnect
            return answer.result()
        finally:
            answer.cancel()
            watch.cancel()

    def close(self) -> None:
        """Drop what waits, and let the worker end."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _timed(self, work: Callable[[], T], clock: Callable[[], float]) -> T:
        start = clock()
        try:
            return work()
        finally:
            self._seconds += SMOOTHING * (clock() - start - self._seconds)

    def _count(self, change: int) -> None:
        with self._lock:
            self.n_jobs += change
