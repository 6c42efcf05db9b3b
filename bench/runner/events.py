"""What a run tells those who watch it."""

import time
from collections.abc import Mapping
from typing import Any, Protocol

from bench.embed.shards import ProgressFactory
from bench.types import Result


class Observer(Protocol):
    """Who is told how a run goes, and may want it to stop."""

    stopping: bool
    """Whether to stop as soon as what is in hand is kept."""

    def planned(self, plan: Mapping[str, Any]) -> None:
        """Take note of what is to be done, as `Outlook.told` tells it."""

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Take note that `done` of `total` clips have been embedded, at so many s of audio per s."""

    def finished(self, result: Result, done: int, total: int) -> None:
        """Take note of a cell's result, the `done`-th of `total`."""

    def expected(self, seconds: float | None) -> None:
        """Take note of how long the rest takes, in s; None if nobody knows yet."""


class Speedometer:
    """Tells an observer how an extractor gets on with a dataset."""

    def __init__(self, dataset: str, extractor: str, total: int, observer: Observer) -> None:
        self.done = 0
        self._names = dataset, extractor
        self._total = total
        self._observer = observer
        self._audio_s = 0.0
        self._start = time.perf_counter()

    def tell(self, n_clips: int, audio_s: float) -> bool:
        """Take note of clips that are done and their length in s; return whether to go on."""
        self.done += n_clips
        self._audio_s += audio_s
        speed = self._audio_s / (time.perf_counter() - self._start)
        self._observer.embedded(*self._names, self.done, self._total, speed)
        return not self._observer.stopping


def progress_factory(observer: Observer) -> ProgressFactory:
    """Return a function that makes the callback for the clips of a dataset and an extractor."""
    return lambda dataset, extractor, n_clips: Speedometer(dataset, extractor, n_clips, observer).tell
