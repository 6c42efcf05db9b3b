"""Name of an executor -> its workers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bench.errors import UsageError
from bench.runner.executors import dask, in_process, processes
from bench.runner.executors.workers import Workers

LOCAL = "local"


@contextmanager
def start(name: str, jobs: int, timeout: float | None, shared: str) -> Iterator[Workers]:
    """Start the workers of an executor, and end them after use.

    Parameters
    ----------
    name : str
        ``local``; ``dask`` for a cluster on this machine, ``dask://HOST:PORT`` for a running one.
    jobs : int
        Number of processes; one without a `timeout` is this process itself.
    timeout : float | None
        Time limit of a unit, in s.
    shared : str
        Folder or URL that all workers see.

    Raises
    ------
    UsageError
        If the executor is unknown, not installed, or does not answer.
    """
    if name == LOCAL and jobs == 1 and timeout is None:
        yield in_process.workers()
    elif name == LOCAL:
        with processes.workers(jobs, timeout) as workers:
            yield workers
    elif name == dask.LOCAL or name.startswith(dask.ADDRESS):
        with dask.workers(name, jobs, timeout, shared) as workers:
            yield workers
    else:
        raise UsageError(f"--executor {name}: is unknown; expected {LOCAL}, dask or dask://HOST:PORT")
