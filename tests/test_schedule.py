"""The scheduler over a fake executor, whose units end only as the test says."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from bench.errors import UsageError
from bench.runner import schedule
from bench.runner.executors import Workers
from bench.runner.schedule import Scheduler


class KilledWorker(Exception):  # noqa: N818
    """Named as the error of Dask for a unit whose workers died."""


class FakeExecutor(Executor):
    """Ends its oldest unit, with an outcome from a script, whenever the scheduler has nothing to collect."""

    def __init__(self, outcomes: dict[str, list[Exception]]) -> None:
        self.outcomes = outcomes
        self.running: dict[str, Future[str]] = {}
        self.log: list[str] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        [unit] = args
        self.log.append(f"submit {unit}" + (f" beside {' '.join(self.running)}" if self.running else ""))
        self.running[unit] = Future()
        return self.running[unit]

    def end_oldest(self) -> None:
        unit = next(iter(self.running))
        future = self.running.pop(unit)
        errors = self.outcomes.get(unit)
        if errors:
            future.set_exception(errors.pop(0))
        else:
            future.set_result(f"outcome of {unit}")


@dataclass
class Units:
    """Units by group; `following` lists the units that follow from another one."""

    workers: Workers
    groups: deque[Sequence[str]]
    following: dict[str, Sequence[str]] = field(default_factory=dict)
    unneeded: set[str] = field(default_factory=set)
    stop_after: str = ""
    log: list[str] = field(default_factory=list)
    stopping: bool = False

    @property
    def is_exhausted(self) -> bool:
        return not self.groups

    def next_units(self) -> Sequence[str] | None:
        return self.groups.popleft() if self.groups else None

    def submit(self, unit: str) -> Future[Any] | None:
        return None if unit in self.unneeded else self.workers.submit(str, unit)

    def settle(self, unit: str, future: Future[Any]) -> Sequence[str]:
        error = future.exception()
        self.log.append(f"{unit}: {type(error).__name__}" if error else future.result())
        self.stopping |= unit == self.stop_after
        if isinstance(error, UsageError):
            raise error
        return self.following.get(unit, ())


@pytest.fixture
def scheduled(monkeypatch: pytest.MonkeyPatch):
    """Return a function that makes a scheduler, and what it schedules, of groups of units."""
    monkeypatch.setattr(schedule, "MEND_SECONDS", 0)

    def build(*groups: str, n_workers: int = 1, outcomes=None, **options: Any):
        executor = FakeExecutor(outcomes or {})
        workers = Workers(executor, lambda: n_workers, blames_others=True, mend=executor.end_oldest)
        units = Units(workers, deque(group.split() for group in groups), **options)
        return Scheduler(workers, units), units, executor

    return build


def test_units_run_in_order_and_one_waits_behind_each_worker(scheduled):
    scheduler, units, executor = scheduled("a b", "c d", n_workers=2)
    scheduler.run()
    assert executor.log == ["submit a", "submit b beside a", "submit c beside a b", "submit d beside b c"]
    assert units.log == [f"outcome of {unit}" for unit in "abcd"]


def test_units_that_follow_run_before_the_next_group(scheduled):
    scheduler, units, _ = scheduled("a b", "c", following={"a": ["a1", "a2"], "b": ["b1"]})
    scheduler.run()
    assert [entry.removeprefix("outcome of ") for entry in units.log] == ["a", "b", "a1", "b1", "a2", "c"]


def test_nothing_to_do_ends_at_once(scheduled):
    scheduler, units, executor = scheduled()
    scheduler.run()
    assert (units.log, executor.log) == ([], [])


def test_a_unit_that_is_no_longer_needed_is_not_submitted(scheduled):
    scheduler, units, _ = scheduled("a b c", unneeded={"b"})
    scheduler.run()
    assert units.log == ["outcome of a", "outcome of c"]


def test_a_unit_that_raises_is_settled_as_any_other(scheduled):
    scheduler, units, _ = scheduled("a b", outcomes={"a": [ValueError("no")]})
    scheduler.run()
    assert units.log == ["a: ValueError", "outcome of b"]


def test_a_stop_request_settles_running_units_and_submits_no_more(scheduled):
    scheduler, units, _ = scheduled("a b c", "d", stop_after="a")
    with pytest.raises(KeyboardInterrupt):
        scheduler.run()
    assert units.log == ["outcome of a", "outcome of b"]


def test_a_stop_request_after_the_last_unit_is_no_interrupt(scheduled):
    scheduler, units, _ = scheduled("a b", stop_after="b")
    scheduler.run()
    assert units.log == ["outcome of a", "outcome of b"]


def test_an_error_of_settle_is_raised_after_running_units_are_settled(scheduled):
    scheduler, units, _ = scheduled("a b c", outcomes={"a": [UsageError("disk full")]})
    with pytest.raises(UsageError, match="disk full"):
        scheduler.run()
    assert units.log == ["a: UsageError", "outcome of b"]


def test_a_unit_whose_worker_died_is_tried_alone_before_it_is_blamed(scheduled):
    deaths = {"a": [KilledWorker(), KilledWorker()], "b": [KilledWorker()]}
    scheduler, units, executor = scheduled("a b c", n_workers=2, outcomes=deaths)
    scheduler.run()
    assert executor.log[3:] == ["submit a", "submit b"]
    assert units.log == ["outcome of c", "a: KilledWorker", "outcome of b"]


def test_a_suspect_that_is_left_at_a_stop_request_is_an_interrupt(scheduled):
    scheduler, units, _ = scheduled("a b", outcomes={"a": [KilledWorker()]}, stop_after="b")
    with pytest.raises(KeyboardInterrupt):
        scheduler.run()
    assert units.log == ["outcome of b"]


def test_an_executor_that_blames_nobody_settles_a_death_at_once(scheduled):
    _, units, executor = scheduled("a", outcomes={"a": [KilledWorker()]})
    workers = Workers(executor, lambda: 1, mend=executor.end_oldest)
    Scheduler(workers, units).run()
    assert units.log == ["a: KilledWorker"]
    assert executor.log == ["submit a"]
