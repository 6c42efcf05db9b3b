"""Events of a run on stderr: bars on a terminal, plain lines, or JSON lines; and its soft stop."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bench import display
from bench.runner.events import ClipCounts, Planned
from bench.runner.trackers import NO_TRACKERS, Trackers
from bench.types import Result, Score, Status

LINE_SECONDS = 10.0
"""Least time between two plain lines on one extractor or download, in s."""

BYTES_PER_MB = 1_000_000


class Rendering(ABC):
    """The events of a run, rendered to stderr, with downloads and messages; results go on to trackers."""

    def __init__(self, trackers: Trackers) -> None:
        self.stopping = False
        self._trackers = trackers
        self._counts: dict[tuple[str, str], ClipCounts] = {}

    def planned(self, plan: Planned) -> None:
        """Show the plan."""
        for counts in plan.embeddings:
            self.count(counts)
        for line in summary(plan):
            self.message(line)

    def finished(self, result: Result, done: int, total: int) -> None:
        """Show the result of a cell, and send it to the trackers."""
        for failure in self._trackers.finished(result):
            self.message(failure)
        self.show(result, done, total)

    def count(self, counts: ClipCounts) -> None:
        """Remember why an extractor may embed fewer clips than a dataset has."""
        self._counts[counts.dataset, counts.extractor] = counts

    def fewer(self, dataset: str, extractor: str, total: int) -> str:
        """Return why fewer clips are embedded than the dataset has, behind a comma; empty for all."""
        counts = self._counts.get((dataset, extractor))
        if counts is None or total != counts.clips - counts.cached:  # with changed copies
            return ""
        reasons = display.fewer_clips(counts.same_audio, counts.unreadable, counts.cached)
        return f", of {counts.total}: {reasons}" if reasons else ""

    @abstractmethod
    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Show the progress of an extractor, and its speed in s of audio per s."""

    @abstractmethod
    def downloaded(self, name: str, done: int, total: int) -> None:
        """Show the progress of a download in bytes; `total` is 0 if the size is unknown."""

    @abstractmethod
    def show(self, result: Result, done: int, total: int) -> None:
        """Show the result of a cell."""

    @abstractmethod
    def expected(self, seconds: float | None) -> None:
        """Show the estimated time left, in s; None without an estimate."""

    @abstractmethod
    def message(self, text: str) -> None:
        """Show a line of text."""


class Bars(Rendering):
    """A bar for the cells, a bar per extractor and dataset, and a line for every new reason."""

    def __init__(self, progress: Progress, trackers: Trackers) -> None:
        super().__init__(trackers)
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._reasons: set[str] = set()
        self._n_failed = 0
        self._time_left = ""

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Move the bar of an extractor."""
        suffix = f", {speed:.0f} x real time{self.fewer(dataset, extractor, total)}"
        self._move(f"{extractor} on {dataset}: clips", done, total, suffix)

    def downloaded(self, name: str, done: int, total: int) -> None:
        """Move the bar of a download, in MB."""
        self._move(f"{name}: MB", done // BYTES_PER_MB, -(-total // BYTES_PER_MB) or None)

    def show(self, result: Result, done: int, total: int) -> None:
        """Move the bar of the cells, and print a reason unless it was printed before."""
        self._n_failed += result.status == Status.FAILED
        failures = f", {self._n_failed} failed" if self._n_failed else ""
        self._move("cells", done, total, f"{failures}{self._time_left}")
        cause = display.cause(result)
        if cause and cause not in self._reasons:
            self._reasons.add(cause)
            self.message(f"{result.status}: {display.cell(result)}: {cause}")

    def expected(self, seconds: float | None) -> None:
        """Set the time beside the bar of the cells."""
        self._time_left = "" if seconds is None else f", {duration(seconds)} left"

    def message(self, text: str) -> None:
        """Print a line."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _move(self, name: str, done: int, total: int | None, suffix: str = "") -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._bars[name], completed=done, total=total, description=name + suffix)


class Lines(Rendering):
    """A line for every cell, and one for an extractor or a download at most every `LINE_SECONDS`."""

    def __init__(self, trackers: Trackers) -> None:
        super().__init__(trackers)
        self._times: dict[str, float] = {}
        self._time_left = ""

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Print the progress of an extractor."""
        unit = f"clips, {speed:.0f} x real time{self.fewer(dataset, extractor, total)}"
        self._progress_line(f"{extractor} on {dataset}", done, total, unit)

    def downloaded(self, name: str, done: int, total: int) -> None:
        """Print the progress of a download."""
        self._progress_line(name, done // BYTES_PER_MB, total // BYTES_PER_MB, "MB")

    def show(self, result: Result, done: int, total: int) -> None:
        """Print the first score of a cell, or why it has none."""
        first = next(iter(result.scores), None)
        outcome = f"{display.metric(first)} {first.value:.3f}" if first else display.cause(result)
        self.message(f"[{done}/{total}] {result.status}: {display.cell(result)}: {outcome}{self._time_left}")

    def expected(self, seconds: float | None) -> None:
        """Set the end of the next line on a cell."""
        self._time_left = "" if seconds is None else f"; {duration(seconds)} left"

    def message(self, text: str) -> None:
        """Print a line."""
        click.echo(text, err=True)

    def _progress_line(self, name: str, done: int, total: int, unit: str) -> None:
        now = time.monotonic()
        if done == total or now - self._times.get(name, now - LINE_SECONDS) >= LINE_SECONDS:
            self._times[name] = now
            self.message(f"{name}: {done} of {total} {unit}")


class JsonLines(Rendering):
    """A JSON object per line for every event, with its name as `event`."""

    def planned(self, plan: Planned) -> None:
        """Write the plan."""
        self._write("planned", **asdict(plan))

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Write the progress of an extractor."""
        self._write("embedded", dataset=dataset, extractor=extractor, done=done, total=total, speed=speed)

    def downloaded(self, name: str, done: int, total: int) -> None:
        """Write the progress of a download, in bytes."""
        self._write("downloaded", name=name, done=done, total=total)

    def show(self, result: Result, done: int, total: int) -> None:
        """Write the result of a cell."""
        self._write(
            "finished",
            key=result.key,
            dataset=result.dataset,
            task=asdict(result.task),
            extractor=result.extractor,
            view=asdict(result.view),
            head=result.head,
            is_tuned=result.is_tuned,
            seed=result.seed,
            split=asdict(result.split) if result.split else None,
            status=result.status,
            reason=display.cause(result),
            scores=[_score(score) for score in result.scores],
            done=done,
            total=total,
        )

    def expected(self, seconds: float | None) -> None:
        """Write the estimated time left, in s."""
        self._write("expected", seconds=seconds)

    def message(self, text: str) -> None:
        """Write a line of text."""
        self._write("message", text=text)

    def _write(self, event: str, **fields: object) -> None:
        click.echo(json.dumps({"event": event, **fields}), err=True)


def _score(score: Score) -> dict[str, Any]:
    """Return the fields of a score without its folds."""
    return {name: value for name, value in asdict(score).items() if name != "folds"}


def summary(plan: Planned) -> list[str]:
    """Return a plan as lines of text: the cells, then every dataset with its clips.

    Examples
    --------
    >>> summary(Planned(to_compute=3, cached=0, not_possible=0, embeddings=(), seconds=None))
    ['cells: 3 to compute, 0 cached, 0 not possible; no estimate yet']
    """
    cells = f"cells: {plan.to_compute} to compute, {plan.cached} cached, {plan.not_possible} not possible"
    if not plan.to_compute:
        return [cells]
    estimate = "no estimate yet" if plan.seconds is None else f"{duration(plan.seconds)} of work"
    by_dataset: dict[str, list[ClipCounts]] = {}
    for counts in plan.embeddings:
        by_dataset.setdefault(counts.dataset, []).append(counts)
    return [f"{cells}; {estimate}", *map(_dataset_summary, by_dataset.values())]


def _dataset_summary(embeddings: Sequence[ClipCounts]) -> str:
    """Return the clips of one dataset as text, with those that are cached per extractor."""
    first = embeddings[0]
    cached = ", ".join(f"{counts.extractor} {counts.cached}" for counts in embeddings)
    fewer = display.fewer_clips(first.same_audio, first.unreadable)
    clips = f"{first.total} clips" + (f", {first.clips} to embed ({fewer})" if fewer else "")
    return f"{first.dataset}: {clips}, {first.hours:.2f} h of audio; cached clips: {cached}"


def duration(seconds: float) -> str:
    """Return a rough duration.

    Examples
    --------
    >>> duration(20), duration(200), duration(20_000)
    ('less than a minute', 'about 3 min', 'about 5.6 h')
    """
    if seconds < 60:
        return "less than a minute"
    return f"about {seconds / 60:.0f} min" if seconds < 7200 else f"about {seconds / 3600:.1f} h"


@contextmanager
def watching(
    *, plain: bool = False, log_json: bool = False, trackers: Trackers = NO_TRACKERS
) -> Iterator[Rendering]:
    """Yield the events of a run with a soft stop: a `rendering` that is `stoppable`."""
    with rendering(plain=plain, log_json=log_json, trackers=trackers) as events, stoppable(events):
        yield events


@contextmanager
def rendering(
    *, plain: bool = False, log_json: bool = False, trackers: Trackers = NO_TRACKERS
) -> Iterator[Rendering]:
    """Yield events that are rendered to stderr, and whose results go on to trackers.

    Parameters
    ----------
    plain : bool
        Write lines instead of bars, as in CI. Without a terminal there are no bars.
    log_json : bool
        Write JSON lines instead.
    """
    if log_json:
        yield JsonLines(trackers)
    elif plain or os.environ.get("CI"):
        yield Lines(trackers)
    else:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
            yield Bars(bars, trackers)


@contextmanager
def stoppable(events: Rendering) -> Iterator[None]:
    """End a run after its current units on the first Ctrl-C or SIGTERM, and at once on the second.

    Only the main thread can handle signals; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    process = os.getpid()

    def stop(number: int, _: object) -> None:
        if os.getpid() != process:  # a library forked: its child ends as if nobody had changed the handlers
            signal.signal(number, before[number])
            os.kill(os.getpid(), number)
            return
        events.stopping = True
        for number in before:
            signal.signal(number, signal.default_int_handler)
        events.message("stopping after the current units; Ctrl-C again stops at once")

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
