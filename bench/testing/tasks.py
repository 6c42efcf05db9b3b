"""Rules for tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.errors import shortlist
from bench.metrics import METRICS
from bench.testing.checks import Check, Rule, build_checks
from bench.types import Task


def keeps_groups_apart(task: Task) -> None:
    """There is at least one group column; none is repeated or the target."""
    assert task.groups, "no groups"
    assert len(set(task.groups)) == len(task.groups), "a group is repeated"
    assert task.target not in task.groups, f"the target '{task.target}' is a group"


def knows_its_metrics(task: Task) -> None:
    """There is at least one metric, and every metric exists."""
    unknown = set(task.metrics) - METRICS.keys()
    assert task.metrics, "no metrics"
    assert not unknown, f"unknown: {shortlist(unknown)}"


def ranks_by_labels(task: Task) -> None:
    """The first metric, which ranks, needs labels only: not every head gives probabilities."""
    assert METRICS[task.metrics[0]].needs == "labels", task.metrics[0]


RULES: Sequence[Rule] = (keeps_groups_apart, knows_its_metrics, ranks_by_labels)


def check_task(task: Task, expected_failures: Mapping[str, str] | None = None) -> list[Check]:
    """Return the checks of a task; `expected_failures` as in `check_extractor`."""
    return build_checks(RULES, task, expected_failures)
