"""What work takes in this process: time, memory, energy."""

import functools
import logging
import sys
import threading
import time
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

import psutil

from bench.types import Usage

PERIOD = 0.02
"""Between two looks at the memory, in s."""

MB = 1e6


class Meter:
    """Measures, while it is entered, this process as a whole; `read` gives what was since the last time."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._left = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        self._tracker = _tracker()

    def __enter__(self) -> Self:
        self._begin()
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._sampler.join()
        if self._tracker:
            self._tracker.stop_task()

    def read(self) -> Usage:
        """Return what was used since the meter was entered, or since it was read before."""
        self._look()
        cuda = _cuda()
        usage = Usage(
            seconds=time.perf_counter() - self._clock,
            cpu_s=time.process_time() - self._cpu,
            peak_mb=round(self._peak / MB, 1),
            gpu_mb=round(cuda.max_memory_allocated() / MB, 1) if cuda else None,
            energy_wh=1000 * self._tracker.stop_task().energy_consumed if self._tracker else None,
        )
        self._begin()
        return usage

    def _begin(self) -> None:
        self._peak = 0
        self._look()
        cuda = _cuda()
        if cuda:
            cuda.reset_peak_memory_stats()
        if self._tracker:
            self._tracker.start_task()
        self._clock, self._cpu = time.perf_counter(), time.process_time()

    def _look(self) -> None:
        self._peak = max(self._peak, self._process.memory_info().rss)

    def _sample(self) -> None:
        while not self._left.wait(PERIOD):
            self._look()


def _cuda() -> Any:
    """Return torch's module of that name where this process uses a GPU; None elsewhere."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch and torch.cuda.is_available() and torch.cuda.is_initialized() else None


@functools.cache
def _tracker() -> Any:
    """Return what measures energy; None where codecarbon is not installed."""
    if find_spec("codecarbon") is None:
        return None
    from codecarbon import OfflineEmissionsTracker  # optional

    logging.getLogger("codecarbon").disabled = True  # it warns of what is meant here
    # Emissions are nobody's question here, so that no country is true.
    return OfflineEmissionsTracker(country_iso_code="FRA", output_methods=[], allow_multiple_runs=True)
