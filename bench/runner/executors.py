"""Where units of work run: in this process, in processes of its own, or on a Dask cluster."""

from __future__ import annotations

import logging
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

import fsspec
from pebble import ProcessExpired, ProcessPool

from bench.catalog import devices
from bench.errors import UsageError

DEATHS = 3
"""A unit whose worker died so often is given up; Dask's own ``allowed-failures`` says the same there."""

CONNECT_SECONDS = 10

DASK = "dask"
ADDRESS = f"{DASK}://"

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""What libraries read their number of threads from, when they are loaded."""


@dataclass(frozen=True, slots=True)
class Workers:
    """An executor.

    Parameters
    ----------
    count : Callable[[], int]
        Returns how many workers it has.
    here : bool
        Whether a unit is done when `submit` returns.
    blames_others : bool
        Whether a unit counts as lost when it was merely beside one whose worker died.
    mend : Callable[[], object]
        Starts workers in place of those that have gone for good.
    timed : bool
        Whether a unit may take no longer than the timeout.
    """

    executor: Executor
    count: Callable[[], int]
    here: bool = False
    blames_others: bool = False
    mend: Callable[[], object] = lambda: None
    timed: bool = False

    def send(self, fn: Callable[..., Any], *args: Any, more: float = 0.0) -> Future[Any]:
        """Return the future of a unit, which may take so many s more than the timeout."""
        return self.executor.submit(fn, *args, **({"more": more} if self.timed else {}))

    def limit(self) -> int:
        """Return how many units it should have at once: one for each worker, and the next one for any.

        Two are the least, even while there is no worker: a cluster that grows by demand must see some.
        """
        return 1 if self.here else max(2, self.count() + 1)


@contextmanager
def opened(name: str, jobs: int, timeout: float | None, shared: str) -> Iterator[Workers]:
    """Yield the workers that a name asks for.

    Parameters
    ----------
    name : str
        ``local``; ``dask`` for a cluster on this machine, or ``dask://HOST:PORT`` for one that is there.
    jobs : int
        How many processes are started; one worker is this process itself, unless there is a `timeout`.
    timeout : float | None
        What a unit may take, in s.
    shared : str
        A folder or URL that all workers see.

    Raises
    ------
    UsageError
        If there is no such executor.
    """
    if name == "local" and jobs == 1 and timeout is None:
        yield Workers(_Here(), lambda: 1, here=True)
    elif name == "local":
        with _threads(jobs), _Processes(jobs, timeout) as executor:
            yield Workers(executor, lambda: jobs, timed=True)
    elif name == DASK or name.startswith(ADDRESS):
        with ExitStack() as stack:
            client, mend = stack.enter_context(_client(name, jobs))
            units: Executor = client.get_executor(pure=False)
            # Nothing is waited for: all units have come back, though a lost one may never be done for Dask.
            stack.callback(units.shutdown, wait=False)
            if timeout:
                notes = f"{shared}/late-{uuid.uuid4().hex}"
                units = stack.enter_context(_Bounded(units, timeout, notes))
            counted = partial(_n_threads, client)
            yield Workers(units, counted, blames_others=True, mend=mend, timed=timeout is not None)
    else:
        raise UsageError(f"--executor {name}: is unknown; expected local, dask or dask://HOST:PORT")


def died(future: Future[Any]) -> bool:
    """Return whether Dask gave a unit up since workers died."""
    return not future.cancelled() and type(future.exception()).__name__ == "KilledWorker"


def error_of(future: Future[Any]) -> BaseException | None:
    """Return what a unit raised.

    Raises
    ------
    UsageError
        If nobody will ever compute it.
    """
    if future.cancelled():
        raise UsageError("--executor: the cluster has gone; what is finished is kept, so run the same again")
    return future.exception()


def lost(error: BaseException | None) -> str:
    """Return why a worker did not finish its unit; empty for an error of the unit's own."""
    if isinstance(error, ProcessExpired):
        code = error.exitcode
        how = signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
        why = ", as the kernel does when memory runs out" if how == "SIGKILL" else ""
        return f"its worker died {DEATHS} times ({how}{why})"
    if isinstance(error, TimeoutError):
        return "it took longer than --cell-timeout allows"
    if type(error).__name__ == "KilledWorker":
        return "its worker died again and again: killed, or out of memory"
    return ""


class _Here(Executor):
    """Computes a unit at once, in the thread that submits it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _Processes(Executor):
    """Processes of this machine; a unit whose process dies is tried again, one that takes too long is not."""

    def __init__(self, jobs: int, timeout: float | None) -> None:
        self._pool = ProcessPool(jobs, initializer=_ignore_interrupts, context=get_context("spawn"))
        self._timeout = timeout

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the future of a unit; with `more`, it may take so many s beyond the timeout."""
        more = kwargs.pop("more", 0.0)
        outcome: Future[Any] = Future()
        seconds = None if self._timeout is None else self._timeout + more
        self._try(
            outcome, partial(self._pool.schedule, partial(fn, *args, **kwargs), timeout=seconds), DEATHS
        )
        return outcome

    def _try(self, outcome: Future[Any], schedule: Callable[[], Future[Any]], left: int) -> None:
        schedule().add_done_callback(lambda done: self._settle(outcome, done, schedule, left - 1))

    def _settle(
        self, outcome: Future[Any], done: Future[Any], schedule: Callable[[], Future[Any]], left: int
    ) -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, ProcessExpired) and left:
            self._try(outcome, schedule, left)
        elif done.cancelled():
            outcome.cancel()
        elif error:
            outcome.set_exception(error)
        else:
            outcome.set_result(done.result())

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Wait for the processes to end, or end them if something went wrong."""
        if kind:
            self._pool.stop()  # type: ignore[no-untyped-call]
        else:
            self._pool.close()  # type: ignore[no-untyped-call]
        self._pool.join()


def _ignore_interrupts() -> None:
    """Leave it to the parent what Ctrl-C, which reaches the whole group of processes, means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Bounded(Executor):
    """Sends units to Dask with a watch on each: Dask itself lets them take as long as they like.

    A unit that takes too long leaves a note of that before it ends its worker, so that it is not tried again.

    Parameters
    ----------
    notes : str
        The folder or URL of the notes.
    """

    def __init__(self, executor: Executor, timeout: float, notes: str) -> None:
        self._executor = executor
        self._timeout = timeout
        self._notes = notes

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the future of a unit; with `more`, it may take so many s beyond the timeout."""
        more = kwargs.pop("more", 0.0)
        note = f"{self._notes}/{uuid.uuid4().hex}"
        return self._executor.submit(_watched, self._timeout + more, note, fn, *args, **kwargs)

    def __exit__(self, *error: object) -> None:
        """Throw the notes away."""
        files, path = fsspec.core.url_to_fs(self._notes)
        if files.exists(path):
            files.rm(path, recursive=True)


def _watched(timeout: float, note: str, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function, and end this worker if that takes longer; its nanny starts another one."""
    files, path = fsspec.core.url_to_fs(note)
    if files.exists(path):
        raise TimeoutError

    def stop() -> None:
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.touch(path)
        os._exit(1)

    watch = threading.Timer(timeout, stop)
    watch.start()
    try:
        return fn(*args, **kwargs)
    finally:
        watch.cancel()


@contextmanager
def _client(name: str, jobs: int) -> Iterator[tuple[Any, Callable[[], object]]]:
    """Yield a client of the cluster, which is started here if the name has no address, and what mends it."""
    if find_spec("distributed") is None:
        raise UsageError(f'--executor {name}: run: pip install "audio-embedding-bench[dask]"')
    import dask.config
    from distributed import Client, LocalCluster  # optional

    if name == DASK:
        settings = {
            "distributed.nanny.pre-spawn-environ": _environment(jobs),
            "distributed.scheduler.allowed-failures": DEATHS - 1,
        }
        options = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        quiet = {"silence_logs": logging.CRITICAL}  # a unit that is lost is told of by its cells
        with (
            dask.config.set(settings),
            LocalCluster(**options, **quiet) as cluster,
            Client(cluster) as client,
        ):
            yield client, partial(cluster.scale, jobs)
        return
    try:
        client = Client(name.replace(ADDRESS, "tcp://", 1), timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--executor {name}: does not answer ({error}); is its scheduler running?"
        ) from error
    with client:
        yield client, lambda: None


def _n_threads(client: Any) -> int:
    """Return how many threads a cluster's workers have, one for each of them."""
    return sum(client.nthreads().values())


def _environment(jobs: int) -> Mapping[str, int]:
    """Return how many threads each of several processes may keep busy."""
    return dict.fromkeys(THREADS, max(1, devices.threads() // jobs))


@contextmanager
def _threads(jobs: int) -> Iterator[None]:
    """Let the processes that are started meanwhile share the cores."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update({name: str(n) for name, n in _environment(jobs).items()})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
