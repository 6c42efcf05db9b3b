"""What the command line shows while it runs: bars on a terminal, and failures as they come."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bench.types import Result


class Bars:
    """An observer with a bar of cells, one per extractor and dataset, and a line for every new failure."""

    def __init__(self, progress: Progress) -> None:
        self.stopping = False
        self._progress = progress
        self._bars: dict[str, TaskID] = {}
        self._told: set[str] = set()

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Move the bar of an extractor, and show how many s of audio it takes per s."""
        self._move(f"{extractor} on {dataset}: clips", done, total, f", {speed:.0f} x real time")

    def downloaded(self, name: str, done: int, total: int) -> None:
        """Move the bar of an archive, in MB; it has no end if `total` is 0."""
        self._move(f"{name}: MB", done // 1_000_000, -(-total // 1_000_000) or None)

    def finished(self, result: Result, done: int, total: int) -> None:
        """Move the bar of the cells, and name a reason that is new."""
        self._move("cells", done, total)
        if result.reason and result.reason not in self._told:
            self._told.add(result.reason)
            names = f"{result.dataset}, {result.task}, {result.extractor}, {result.head}"
            self._progress.console.print(
                f"{result.status}: {names}: {result.reason}", markup=False, highlight=False, soft_wrap=True
            )

    def interrupted(self, *_: object) -> None:
        """Ask for a stop once, and let the next interruption stop at once."""
        self.stopping = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._progress.console.print("stopping after what is in hand; Ctrl-C again stops at once")

    def _move(self, name: str, done: int, total: int | None, more: str = "") -> None:
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._bars[name], completed=done, total=total, description=name + more)


@contextmanager
def stoppable(bars: Bars) -> Iterator[None]:
    """Let the first Ctrl-C finish what is in hand."""
    before = signal.signal(signal.SIGINT, bars.interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def observer() -> Iterator[Bars]:
    """Yield an observer that writes to stderr; without a terminal there are no bars."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield Bars(progress)
