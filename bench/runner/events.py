"""Callbacks of a run, and the values that they receive."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, Self

from bench.datasets.index import Source
from bench.types import Result


@dataclass(frozen=True, slots=True)
class ClipCounts:
    """Clips of a dataset for one extractor.

    Parameters
    ----------
    clips : int
        Number of clips with audio of their own, each of which gets an embedding.
    hours : float
        Their length, in h.
    cached : int
        Number of clips whose embeddings are in the cache.
    same_audio : int
        Number of further clips, which hold the audio of one of these and share its embedding.
    unreadable : int
        Number of further clips whose files cannot be read.
    """

    dataset: str
    extractor: str
    clips: int
    hours: float
    cached: int
    same_audio: int = 0
    unreadable: int = 0

    @classmethod
    def of(cls, source: Source, extractor: str, cached: int) -> Self:
        """Return the counts of a dataset whose index is known."""
        durations = source.durations
        return cls(
            dataset=source.dataset.name,
            extractor=extractor,
            clips=len(durations),
            hours=sum(durations.values()) / 3600,
            cached=cached,
            same_audio=source.n_same_audio,
            unreadable=len(source.unreadable),
        )

    @property
    def total(self) -> int:
        """Return the number of all clips of the dataset."""
        return self.clips + self.same_audio + self.unreadable


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run is about to do.

    Parameters
    ----------
    to_compute, cached, not_possible : int
        Numbers of cells: to compute, with a stored result, and rejected by the plan.
    embeddings : tuple[ClipCounts, ...]
        One per dataset and extractor.
    seconds : float | None
        Estimated time for one worker, in s; None without an estimate.
    """

    to_compute: int
    cached: int
    not_possible: int
    embeddings: tuple[ClipCounts, ...]
    seconds: float | None


class RunEvents(Protocol):
    """Callbacks of a run; set `stopping` to end it after the current units."""

    stopping: bool

    def planned(self, plan: Planned) -> None:
        """Receive the plan, before any work."""

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Receive the progress of an extractor: clips done, all its clips, and s of audio per s."""

    def finished(self, result: Result, done: int, total: int) -> None:
        """Receive the result of a cell, and the numbers of finished and of all cells."""

    def expected(self, seconds: float | None) -> None:
        """Receive the estimated time left, in s; None without an estimate."""


class EmbeddingProgress:
    """Progress of one extractor on one dataset.

    A call counts embedded clips and reports the total to the events of the run.

    Parameters
    ----------
    n_clips : int
        Number of clips to embed.
    """

    def __init__(self, events: RunEvents, dataset: str, extractor: str, n_clips: int) -> None:
        self._events = events
        self._dataset = dataset
        self._extractor = extractor
        self._n_clips = n_clips
        self._done = 0
        self._audio_s = 0.0
        self._start = time.perf_counter()

    def __call__(self, n_clips: int, audio_s: float) -> bool:
        """Count clips and their length in s; return whether to continue."""
        self._done += n_clips
        self._audio_s += audio_s
        speed = self._audio_s / (time.perf_counter() - self._start)
        self._events.embedded(self._dataset, self._extractor, self._done, self._n_clips, speed)
        return not self._events.stopping
