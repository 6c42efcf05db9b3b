"""Costs: what work takes in this process (time, memory, energy), how it is measured, and what a cell took.

A new cost is a field of `Usage` with its gauge, and a field of `Cost` that says where its value comes from.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Literal, Self

import psutil

PERIOD = 0.02
"""Time between two samples of the gauges, in s."""

MB = 1e6


class Gauge:
    """Measures one quantity of this process, from `start` to `read`; `stop` ends the last measurement."""

    def start(self) -> None:
        """Begin a measurement."""

    def sample(self) -> None:
        """Look at the process; called by a thread every `PERIOD`."""

    def read(self) -> float | None:
        """Return the value since `start`; None if it cannot be measured here."""
        raise NotImplementedError

    def stop(self) -> None:
        """Release what the gauge holds."""


class Clock(Gauge):
    """Seconds by one of the clocks of `time`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._start = clock()

    def start(self) -> None:
        """Begin a measurement."""
        self._start = self._clock()

    def read(self) -> float:
        """Return the time since `start`, in s."""
        return self._clock() - self._start


class Memory(Gauge):
    """Peak of the process's resident memory, in MB of 10^6 bytes."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._peak = 0

    def start(self) -> None:
        """Begin a measurement."""
        self._peak = 0
        self.sample()

    def sample(self) -> None:
        """Raise the peak to what the process holds now."""
        self._peak = max(self._peak, self._process.memory_info().rss)

    def read(self) -> float:
        """Return the peak since `start`, in MB."""
        self.sample()
        return round(self._peak / MB, 1)


class GpuMemory(Gauge):
    """Peak of torch's memory on the GPU, in MB of 10^6 bytes; None if this process uses no GPU."""

    def start(self) -> None:
        """Begin a measurement."""
        cuda = _cuda()
        if cuda:
            cuda.reset_peak_memory_stats()

    def read(self) -> float | None:
        """Return the peak since `start`, in MB."""
        cuda = _cuda()
        return round(cuda.max_memory_allocated() / MB, 1) if cuda else None


class Energy(Gauge):
    """Energy by codecarbon, in Wh; None if codecarbon is not installed."""

    def __init__(self) -> None:
        self._tracker = _tracker()

    def start(self) -> None:
        """Begin a measurement."""
        if self._tracker:
            self._tracker.start_task()

    def read(self) -> float | None:
        """Return the energy since `start`, in Wh."""
        return 1000 * float(self._tracker.stop_task().energy_consumed) if self._tracker else None

    def stop(self) -> None:
        """End codecarbon's task."""
        if self._tracker:
            self._tracker.stop_task()


def _cuda() -> Any:
    """Return torch.cuda if this process uses a GPU, else None."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch and torch.cuda.is_available() and torch.cuda.is_initialized() else None


@functools.cache
def _tracker() -> Any:
    """Return codecarbon's tracker; None if it is not installed."""
    if find_spec("codecarbon") is None:
        return None
    from codecarbon import OfflineEmissionsTracker  # optional

    logging.getLogger("codecarbon").disabled = True  # it warns of the settings below
    # Only the energy is read, so that the country, which decides the emissions, does not matter.
    return OfflineEmissionsTracker(country_iso_code="FRA", output_methods=[], allow_multiple_runs=True)


def _gauge(
    gauge: Callable[[], Gauge], unit: str, combine: Callable[..., float], default: Any = MISSING
) -> Any:
    """Return a field of `Usage`.

    Parameters
    ----------
    combine : Callable[..., float]
        `sum` or `max`: the value of several pieces of work, one after the other.
    """
    return field(default=default, metadata={"gauge": gauge, "unit": unit, "combine": combine})


@dataclass(frozen=True, slots=True)
class Usage:
    """What some work took in the process that did it.

    Parameters
    ----------
    seconds : float
        Elapsed time, in s.
    cpu_s : float
        Processor time over all threads of the process, in s.
    peak_mb : float
        Peak memory of the process, in MB of 10^6 bytes.
    gpu_mb : float | None
        Peak memory of torch on the GPU, in MB; None if it used none.
    energy_wh : float | None
        Energy by codecarbon, in Wh; None if codecarbon is not installed.
    """

    seconds: float = _gauge(lambda: Clock(time.perf_counter), "s", sum)
    cpu_s: float = _gauge(lambda: Clock(time.process_time), "s", sum)
    peak_mb: float = _gauge(Memory, "MB", max)
    gpu_mb: float | None = _gauge(GpuMemory, "MB", max, default=None)
    energy_wh: float | None = _gauge(Energy, "Wh", sum, default=None)

    def part(self, share: float) -> Self:
        """Return the usage of a share of the work, in [0, 1]; a peak is not shared."""
        values = {
            quantity.name: getattr(self, quantity.name)
            for quantity in fields(self)
            if quantity.metadata["combine"] is sum
        }
        return replace(self, **{name: share * value for name, value in values.items() if value is not None})

    @classmethod
    def total(cls, usages: Sequence[Self]) -> Self:
        """Return the usage of several pieces of work, one after the other."""
        totals: dict[str, Any] = {}
        for quantity in fields(cls):
            values = [getattr(usage, quantity.name) for usage in usages]
            measured = [value for value in values if value is not None]
            totals[quantity.name] = quantity.metadata["combine"](measured) if measured else None
        return cls(**totals)


class Meter:
    """Measures this process as a whole from entry to exit; `read` returns the usage since the last read."""

    def __init__(self) -> None:
        self._gauges: dict[str, Gauge] = {
            quantity.name: quantity.metadata["gauge"]() for quantity in fields(Usage)
        }
        # Without it, a sample that began before a read would carry its peak over into the next measurement.
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._start()
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._sampler.join()
        for gauge in self._gauges.values():
            gauge.stop()

    def read(self) -> Usage:
        """Return the usage since the meter was entered, or since the last read."""
        with self._lock:
            values: dict[str, Any] = {name: gauge.read() for name, gauge in self._gauges.items()}
            self._start()
        return Usage(**values)

    def _start(self) -> None:
        """Start the gauges in reverse order: the clocks last, so that they do not time the other gauges."""
        for gauge in reversed(self._gauges.values()):
            gauge.start()

    def _sample(self) -> None:
        while not self._left.wait(PERIOD):
            with self._lock:
                for gauge in self._gauges.values():
                    gauge.sample()


Source = Callable[[Usage, Usage], float | None]
"""Returns a cost of a cell from the usage of its embedding and of its evaluation."""

Shown = Literal["", "value", "rate"]
"""How a leaderboard shows a cost: not at all, as it is, or per second of embedded audio."""


def _cost(  # a fact of a cost per parameter
    default: Any,
    source: Source | None = None,
    *,
    digits: int | None = None,
    shown: Shown = "",
    page: bool = False,
    limit: bool = True,
) -> Any:
    """Return a field of `Cost`.

    Parameters
    ----------
    source : Source | None
        Where the value comes from; None for a value that is passed to `Cost.of`.
    digits : int | None
        Decimals that are stored; None for all.
    shown : Shown
        Whether and how a leaderboard has a column of it.
    page : bool
        Whether that column is on the page alone.
    limit : bool
        Whether a gate may limit it: more of it is worse.
    """
    metadata = {"source": source, "digits": digits, "shown": shown, "page": page, "limit": limit}
    return field(default=default, metadata=metadata)


def _whole(name: str) -> Source:
    """Return the source of a field of `Usage`, of embedding and evaluation together."""
    return lambda embedding, evaluation: getattr(Usage.total([embedding, evaluation]), name)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a cell took, measured where the work ran; of the embedding, when that ran.

    Parameters
    ----------
    audio_s : float
        Length of the embedded clips, in s.
    extract_cpu_s : float | None
        Processor time of their embedding over all threads, decoding included, in s.
    extract_s : float
        Elapsed time of their embedding, in s; it grows with what else the machine does.
    threads : int | None
        Number of threads that the embedding could use.
    fit_s, predict_s : float
        Elapsed time over all folds, in s.
    cpu_s : float | None
        Processor time of the evaluation, in s.
    dim : int
        Width of what the head sees.
    params : int | None
        Number of parameters of the extractor's network; None if the extractor does not state it.
    peak_mb, gpu_mb, energy_wh : float | None
        As in `Usage`, of embedding and evaluation together.

    A cost that the version which ran the cell did not measure is None.
    """

    audio_s: float = _cost(0.0, digits=3, limit=False)
    dim: int = _cost(0, shown="value", limit=False)
    extract_cpu_s: float | None = _cost(None, lambda embedding, _: embedding.cpu_s, digits=4, shown="rate")
    extract_s: float = _cost(0.0, lambda embedding, _: embedding.seconds, digits=4, shown="rate", page=True)
    threads: int | None = _cost(None, shown="value", page=True, limit=False)
    fit_s: float = _cost(0.0, digits=4, shown="value")
    predict_s: float = _cost(0.0, digits=4, shown="value")
    cpu_s: float | None = _cost(None, lambda _, evaluation: evaluation.cpu_s, digits=4)
    params: int | None = _cost(None, limit=False)
    peak_mb: float | None = _cost(None, _whole("peak_mb"))
    gpu_mb: float | None = _cost(None, _whole("gpu_mb"))
    energy_wh: float | None = _cost(None, _whole("energy_wh"))

    @classmethod
    def of(cls, embedding: Usage, evaluation: Usage, **facts: float | None) -> Self:
        """Return the cost of a cell.

        Parameters
        ----------
        embedding, evaluation : Usage
            What the embedding of the clips and the evaluation of the head took.
        **facts : float | None
            The fields that no usage tells: audio_s, threads, fit_s, predict_s, dim, params.

        Examples
        --------
        >>> cost = Cost.of(Usage(2.0, 1.5, 300.0), Usage(1.0, 0.5, 400.0), audio_s=60.0, dim=80)
        >>> cost.extract_s, cost.cpu_s, cost.peak_mb, cost.dim
        (2.0, 0.5, 400.0, 80)
        """
        values: dict[str, Any] = dict(facts)
        for cost in fields(cls):
            source, digits = cost.metadata["source"], cost.metadata["digits"]
            if source:
                values[cost.name] = source(embedding, evaluation)
            if digits is not None and values.get(cost.name) is not None:
                values[cost.name] = round(values[cost.name], digits)
        return cls(**values)

    @classmethod
    def names(cls, use: Literal["limit", "shown"]) -> tuple[str, ...]:
        """Return the fields that a gate may limit, or that the leaderboard shows."""
        return tuple(cost.name for cost in fields(cls) if cost.metadata[use])

    @classmethod
    def rates(cls) -> frozenset[str]:
        """Return the fields that the leaderboard shows per second of embedded audio."""
        return frozenset(cost.name for cost in fields(cls) if cost.metadata["shown"] == "rate")

    @classmethod
    def page_names(cls) -> frozenset[str]:
        """Return the fields that only the page shows."""
        return frozenset(cost.name for cost in fields(cls) if cost.metadata["page"])

    def rate(self, name: str) -> float | None:
        """Return a field per second of embedded audio; None if either was not measured.

        Examples
        --------
        >>> Cost(audio_s=50.0, extract_cpu_s=2.0).rate("extract_cpu_s"), Cost().rate("extract_s")
        (0.04, None)
        """
        value = getattr(self, name)
        return None if value is None or self.audio_s <= 0 else value / self.audio_s
