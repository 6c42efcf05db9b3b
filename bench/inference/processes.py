"""Processes: parts of a list to processes that each load what they need, and their results in order."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from bench import paths
from bench.errors import UsageError

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(  # what to load, what to do with what, in how many processes, and what to advise
    load: Callable[[], Callable[[Sequence[Item]], Iterable[Result]]],
    items: Sequence[Item],
    jobs: int,
    most: int,
    advice: str,
) -> Iterator[Result]:
    """Yield the results of items, in their order, from several processes.

    Parameters
    ----------
    load : Callable[[], Callable[[Sequence[Item]], Iterable[Result]]]
        Called once by every process; returns what computes the results of some items.
    most : int
        Largest number of items that a process gets at once.
    advice : str
        What to do if a process is killed, for the message.

    Raises
    ------
    UsageError
        If a process is killed.
    """
    size = max(1, min(most, len(items) // (2 * jobs)))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(load,)) as pool:
        try:
            for results in pool.map(_compute, _parts(items, size)):
                yield from results
        except BrokenProcessPool as error:
            raise UsageError(f"--jobs: a process was killed, perhaps for its memory; {advice}") from error


def _parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while part := list(itertools.islice(rest, size)):
        yield part


_functions: list[Callable[[Sequence[Any]], Iterable[Any]]] = []
"""What computes results in a worker process."""


def _start(load: Callable[[], Callable[[Sequence[Any]], Iterable[Any]]]) -> None:
    """Load what a worker process needs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent acts on it
    paths.redirect_library_caches()
    _functions.append(load())


def _compute(items: Sequence[Any]) -> list[Any]:
    return list(_functions[0](items))
