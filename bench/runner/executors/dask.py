"""Units on a Dask cluster."""

from __future__ import annotations

import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

import fsspec

from bench.catalog.requirements import installation
from bench.errors import UsageError
from bench.runner.executors.workers import DEATHS, Workers, shared_cores, thread_limits

CONNECT_SECONDS = 10
"""Time that a scheduler has to answer, in s."""

LOCAL = "dask"
"""Name of a cluster on this machine."""

ADDRESS = f"{LOCAL}://"
"""Prefix of the address of a running cluster."""


@contextmanager
def workers(name: str, jobs: int, timeout: float | None, shared: str) -> Iterator[Workers]:
    """Yield the workers of a cluster.

    Parameters
    ----------
    name : str
        ``dask`` or ``dask://HOST:PORT``.
    jobs : int
        Number of workers to start, without an address.
    timeout : float | None
        Time limit of a unit, in s.
    shared : str
        Folder or URL that all workers see.

    Raises
    ------
    UsageError
        If Dask is not installed, or the scheduler does not answer.
    """
    if find_spec("distributed") is None:
        raise UsageError(f"--executor {name}: run: {installation('dask')}")
    with ExitStack() as stack:
        is_local = name == LOCAL
        client = stack.enter_context(_local(jobs) if is_local else _remote(name))
        executor: Executor = client.get_executor(pure=False)
        # Do not wait: every unit has settled, though Dask may never end one whose worker died.
        stop = partial(executor.shutdown, wait=False)
        stack.callback(stop)
        if timeout:
            executor = stack.enter_context(
                TimeLimited(executor, timeout, f"{shared}/late-{uuid.uuid4().hex}")
            )
        yield Workers(
            executor,
            count=partial(_n_threads, client),
            blames_others=True,
            mend=partial(_mend, client, jobs, stop) if is_local else lambda: None,
            is_timed=timeout is not None,
        )


@contextmanager
def _local(jobs: int) -> Iterator[Any]:
    """Start a cluster on this machine, and yield its client.

    Raises
    ------
    UsageError
        If a worker dies at its start again and again.
    """
    import dask.config
    from distributed import Client, LocalCluster  # optional

    from bench.runner.executors.nanny import PatientNanny

    settings = {
        "distributed.nanny.pre-spawn-environ": thread_limits(jobs),
        "distributed.scheduler.allowed-failures": DEATHS - 1,
    }
    with shared_cores(jobs), dask.config.set(settings):  # Dask leaves the limits in the environment
        try:
            cluster = LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                worker_class=PatientNanny,
                dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL,  # cells report a unit that is lost
            )
        except RuntimeError as error:
            raise UsageError(f"--executor {LOCAL}: a worker died {DEATHS} times at its start") from error
        with cluster, Client(cluster) as client:
            yield client


def _mend(client: Any, jobs: int, stop: Callable[[], object]) -> None:
    """Replace lost workers of a cluster on this machine; if none answers, stop, which cancels all units."""
    client.cluster.scale(jobs)
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        stop()


@contextmanager
def _remote(name: str) -> Iterator[Any]:
    """Yield a client of a running cluster, which replaces its workers itself."""
    from distributed import Client  # optional

    try:
        client = Client(name.removeprefix(ADDRESS), timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--executor {name}: does not answer ({error}); is its scheduler running?"
        ) from error
    with client:
        yield client


def _n_threads(client: Any) -> int:
    """Return the number of threads of a cluster's workers, one per worker."""
    return sum(client.nthreads().values())


class TimeLimited(Executor):
    """Gives the units of another executor a time limit, which Dask itself does not have.

    A unit that reaches its limit writes a note and ends its worker; the note keeps Dask from repeating it.

    Parameters
    ----------
    timeout : float
        Time limit of a unit, in s.
    notes : str
        Folder or URL of the notes.
    """

    def __init__(self, executor: Executor, timeout: float, notes: str) -> None:
        self._executor = executor
        self._timeout = timeout
        self._notes = notes

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Return the future of a unit; `extra_seconds` in `kwargs` are added to its time limit."""
        extra_seconds = kwargs.pop("extra_seconds", 0.0)
        note = f"{self._notes}/{uuid.uuid4().hex}"
        return self._executor.submit(_limited, self._timeout + extra_seconds, note, fn, *args, **kwargs)

    def __exit__(self, *error: object) -> None:
        """Delete the notes."""
        files, path = fsspec.core.url_to_fs(self._notes)
        if files.exists(path):
            files.rm(path, recursive=True)


def _limited(timeout: float, note: str, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function, and end this worker at the time limit; its nanny starts another one."""
    files, path = fsspec.core.url_to_fs(note)
    if files.exists(path):
        raise TimeoutError

    def stop() -> None:
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.touch(path)
        os._exit(1)

    timer = threading.Timer(timeout, stop)
    timer.start()
    try:
        return fn(*args, **kwargs)
    finally:
        timer.cancel()
