"""Seconds of fitting and of predicting, by the caller's clock."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Phase = Literal["fit", "predict"]


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Sum up the time of two phases.

    Parameters
    ----------
    clock : Callable[[], float]
        Returns the time in s.
    seconds : dict[Phase, float]
        Total of every phase, in s.

    Examples
    --------
    >>> import itertools
    >>> stopwatch = Stopwatch(itertools.count().__next__)
    >>> with stopwatch.measure("fit"):
    ...     pass
    >>> stopwatch.add({"predict": 3.0})
    >>> stopwatch.seconds
    {'fit': 1.0, 'predict': 3.0}
    """

    clock: Callable[[], float]
    seconds: dict[Phase, float] = field(default_factory=lambda: {"fit": 0.0, "predict": 0.0})

    @contextmanager
    def measure(self, phase: Phase) -> Iterator[None]:
        """Add the time of a block to a phase."""
        start = self.clock()
        yield
        self.seconds[phase] += self.clock() - start

    def add(self, seconds: Mapping[Phase, float]) -> None:
        """Add the seconds of another stopwatch."""
        for phase, value in seconds.items():
            self.seconds[phase] += value
