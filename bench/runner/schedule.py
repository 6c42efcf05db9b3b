"""Units of work -> workers: which unit runs next, and what follows from its outcome."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Generic, Protocol, TypeVar

from bench.errors import BenchError
from bench.runner import executors
from bench.runner.executors import Workers

MEND_SECONDS = 30.0
"""Time without any outcome after which workers may have gone for good, in s."""

U = TypeVar("U")


class WorkUnits(Protocol[U]):
    """Callbacks of a scheduler, over units of some type."""

    @property
    def stopping(self) -> bool:
        """Return whether to submit no more units."""

    @property
    def is_exhausted(self) -> bool:
        """Return whether `next_units` has no more units, now or later."""

    def next_units(self) -> Sequence[U] | None:
        """Return units that may run now; None if there are none before a running unit has settled."""

    def submit(self, unit: U) -> Future[Any] | None:
        """Submit a unit to the workers; return None if its outcome is no longer needed."""

    def settle(self, unit: U, future: Future[Any]) -> Sequence[U]:
        """Store the outcome of a unit, and return the units that follow from it.

        Raises
        ------
        BenchError
            If the run must end.
        """


class Scheduler(Generic[U]):
    """Keep workers busy until no unit is left, the run is stopping, or a callback raises.

    Units that follow from an outcome run first: the cells of an extractor before the clips of the next one.
    """

    def __init__(self, workers: Workers, units: WorkUnits[U]) -> None:
        self._workers = workers
        self._units = units
        self._ready: deque[U] = deque()
        self._running: dict[Future[Any], U] = {}
        self._suspects: deque[U] = deque()
        self._isolated: Future[Any] | None = None
        self._error: BenchError | None = None

    def run(self) -> None:
        """Run all units.

        Raises
        ------
        BenchError
            If `settle` raised it; units that were running are settled before.
        KeyboardInterrupt
            If the run is stopping and units are left.
        """
        while True:
            self._fill()
            self._isolate()
            if not self._running:
                break
            self._collect()
        if self._error:
            raise self._error
        if self._ready or self._suspects or not self._units.is_exhausted:
            raise KeyboardInterrupt

    @property
    def _stopping(self) -> bool:
        return self._error is not None or self._units.stopping

    def _fill(self) -> None:
        """Submit units while there is room."""
        while not self._stopping and len(self._running) < self._workers.limit():
            if self._ready:
                self._submit(self._ready.popleft())
                continue
            following = self._units.next_units()
            if following is None:
                break
            self._ready.extend(following)

    def _isolate(self) -> None:
        """Submit a suspect if nothing else is running."""
        while self._suspects and not (self._running or self._stopping):
            self._isolated = self._submit(self._suspects.popleft())

    def _collect(self) -> None:
        """Wait for outcomes, and settle them in the order of submission."""
        done = wait(self._running, MEND_SECONDS, FIRST_COMPLETED).done
        if not done:
            self._workers.mend()
        for future in [future for future in self._running if future in done]:
            unit = self._running.pop(future)
            if self._is_suspect(future):
                self._suspects.append(unit)
                continue
            try:
                self._ready.extendleft(reversed(self._units.settle(unit, future)))
            except BenchError as error:
                self._error = self._error or error

    def _submit(self, unit: U) -> Future[Any] | None:
        future = self._units.submit(unit)
        if future:
            self._running[future] = unit
        return future

    def _is_suspect(self, future: Future[Any]) -> bool:
        """Return whether a unit was lost that may have run beside the one that killed the worker."""
        is_isolated = future is self._isolated
        return self._workers.blames_others and not is_isolated and executors.died(future)
