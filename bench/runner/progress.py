"""What the command line shows while it runs: bars on a terminal, plain lines, or JSON lines."""

from __future__ import annotations

import json
import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from bench import display
from bench.runner.trackers import Trackers
from bench.types import Result, Status

NONE = Trackers({})

SECONDS = 10.0
"""Between two plain lines of one extractor."""


class Watcher(ABC):
    """An observer of runs that shows downloads too, and passes results on to trackers."""

    def __init__(self, trackers: Trackers) -> None:
        self.stopping = False
        self._trackers = trackers

    def planned(self, plan: Mapping[str, Any]) -> None:
        """Say what is to be done."""
        for line in summary(plan):
            self.say(line)

    def finished(self, result: Result, done: int, total: int) -> None:
        """Pass a cell's result on, and show it."""
        for refusal in self._trackers.finished(result):
            self.say(refusal)
        self.show(result, done, total)

    @abstractmethod
    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Show how far an extractor is, and how many s of audio it takes per s."""

    @abstractmethod
    def downloaded(self, name: str, done: int, total: int) -> None:
        """Show how many bytes of a file are there; nobody knows how many there will be if `total` is 0."""

    @abstractmethod
    def show(self, result: Result, done: int, total: int) -> None:
        """Show what became of a cell."""

    @abstractmethod
    def expected(self, seconds: float | None) -> None:
        """Take note of how long the rest takes, in s; None if nobody knows yet."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Show a sentence."""


class Bars(Watcher):
    """A bar of cells, one per extractor and dataset, and a line for every new failure."""

    def __init__(self, progress: Progress, trackers: Trackers) -> None:
        super().__init__(trackers)
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._told: set[str] = set()
        self._n_failed = 0
        self._left = ""

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Move the bar of an extractor, and show how many s of audio it takes per s."""
        self._move(f"{extractor} on {dataset}: clips", done, total, f", {speed:.0f} x real time")

    def downloaded(self, name: str, done: int, total: int) -> None:
        """Move the bar of an archive, in MB; it has no end if `total` is 0."""
        self._move(f"{name}: MB", done // 1_000_000, -(-total // 1_000_000) or None)

    def show(self, result: Result, done: int, total: int) -> None:
        """Move the bar of the cells, and name a reason that is new."""
        self._n_failed += result.status == Status.FAILED
        failed = f", {self._n_failed} failed" if self._n_failed else ""
        self._move("cells", done, total, f"{failed}{self._left}")
        if result.reason and result.reason not in self._told:
            self._told.add(result.reason)
            self.say(f"{result.status}: {display.cell(result)}: {result.reason}")

    def expected(self, seconds: float | None) -> None:
        """Keep what is shown beside the bar of the cells."""
        self._left = "" if seconds is None else f", {duration(seconds)} left"

    def say(self, text: str) -> None:
        """Print a line."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _move(self, name: str, done: int, total: int | None, more: str = "") -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._bars[name], completed=done, total=total, description=name + more)


class Lines(Watcher):
    """A line for every cell, and now and then one for an extractor."""

    def __init__(self, trackers: Trackers) -> None:
        super().__init__(trackers)
        self._last: dict[str, float] = {}
        self._left = ""

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Say how far an extractor is, if it was not said just before."""
        self._now_and_then(f"{extractor} on {dataset}", done, total, f"clips, {speed:.0f} x real time")

    def downloaded(self, name: str, done: int, total: int) -> None:
        """Say how far a download is, if it was not said just before."""
        self._now_and_then(name, done // 1_000_000, total // 1_000_000, "MB")

    def show(self, result: Result, done: int, total: int) -> None:
        """Say what became of a cell."""
        main = next(iter(result.scores), None)
        told = f"{display.metric(main)} {main.value:.3f}" if main else result.reason
        self.say(f"[{done}/{total}] {result.status}: {display.cell(result)}: {told}{self._left}")

    def expected(self, seconds: float | None) -> None:
        """Keep what the next line ends with."""
        self._left = "" if seconds is None else f"; {duration(seconds)} left"

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(text, err=True)

    def _now_and_then(self, name: str, done: int, total: int, more: str) -> None:
        now = time.monotonic()
        if done == total or now - self._last.get(name, now - SECONDS) >= SECONDS:
            self._last[name] = now
            self.say(f"{name}: {done} of {total} {more}")


class Events(Watcher):
    """A JSON object in a line for everything that happens, with what it is as its `event`."""

    def planned(self, plan: Mapping[str, Any]) -> None:
        """Write the plan."""
        self._write("planned", **plan)

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Write how far an extractor is; its speed is in s of audio per s."""
        self._write("embedded", dataset=dataset, extractor=extractor, done=done, total=total, speed=speed)

    def downloaded(self, name: str, done: int, total: int) -> None:
        """Write how far a download is, in bytes."""
        self._write("downloaded", name=name, done=done, total=total)

    def show(self, result: Result, done: int, total: int) -> None:
        """Write what became of a cell."""
        names = ("key", "dataset", "extractor", "head", "seed", "status", "reason")
        fields = {name: getattr(result, name) for name in names}
        split = asdict(result.split) if result.split else None
        scores = [
            {"metric": score.metric, "level": score.level, "value": score.value} for score in result.scores
        ]
        self._write(
            "finished",
            **fields,
            task=asdict(result.task),
            view=asdict(result.view),
            split=split,
            scores=scores,
            done=done,
            total=total,
        )

    def expected(self, seconds: float | None) -> None:
        """Write how long the rest takes, in s."""
        self._write("expected", seconds=seconds)

    def say(self, text: str) -> None:
        """Write a sentence."""
        self._write("said", text=text)

    def _write(self, event: str, **told: object) -> None:
        click.echo(json.dumps({"event": event, **told}), err=True)


def summary(plan: Mapping[str, Any]) -> list[str]:
    """Return in words what `Observer.planned` is told."""
    line = f"cells: {plan['todo']} to compute, {plan['there']} there, {plan['impossible']} impossible"
    if plan["todo"]:
        left = plan["seconds"]
        line += "; how long that takes is not known yet" if left is None else f"; {duration(left)} of work"
    sets: dict[str, list[str]] = {}
    for row in plan["embeddings"] if plan["todo"] else ():
        audio = f"{row['data set']}: {row['clips']} clips, {row['hours']} h of audio"
        sets.setdefault(audio, []).append(f"{row['extractor']} {row['kept']}")
    return [line, *(f"{audio}; embedded already: {', '.join(kept)}" for audio, kept in sets.items())]


def duration(seconds: float) -> str:
    """Return about how long something takes.

    Examples
    --------
    >>> duration(20), duration(200), duration(20_000)
    ('less than a minute', 'about 3 min', 'about 5.6 h')
    """
    if seconds < 60:
        return "less than a minute"
    return f"about {seconds / 60:.0f} min" if seconds < 7200 else f"about {seconds / 3600:.1f} h"


@contextmanager
def stoppable(watcher: Watcher) -> Iterator[None]:
    """Let the first Ctrl-C, or what a batch system sends before it kills, finish what is in hand."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop(*_: object) -> None:
        watcher.stopping = True
        for each in signals:  # the next one stops at once
            signal.signal(each, signal.default_int_handler)
        watcher.say("stopping after what is in hand; Ctrl-C again stops at once")

    before = {each: signal.signal(each, stop) for each in signals}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextmanager
def observer(*, plain: bool = False, log_json: bool = False, trackers: Trackers = NONE) -> Iterator[Watcher]:
    """Yield an observer that writes to stderr, and passes results on to trackers.

    Parameters
    ----------
    plain, log_json : bool
        Whether it writes lines, or JSON objects, and no bars; in CI it writes lines unasked. Without a
        terminal there are no bars.
    """
    if log_json:
        yield Events(trackers)
    elif plain or os.environ.get("CI"):
        yield Lines(trackers)
    else:
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
            yield Bars(bars, trackers)
