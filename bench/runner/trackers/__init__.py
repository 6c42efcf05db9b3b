"""Where results are sent besides the folder of the run: MLflow, TensorBoard, Weights & Biases."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from bench import display
from bench.errors import UsageError, one_line
from bench.types import Result, Status

KINDS = {"mlflow": "mlflow", "tensorboard": "tensorboardX", "wandb": "wandb"}
"""The module here -> the package that it needs."""


class Tracker(Protocol):
    """Who is sent every result as it is there."""

    def finished(self, result: Result) -> None:
        """Send a result."""


class Trackers:
    """All who are sent results; who once refuses one is sent no more, and the run goes on."""

    def __init__(self, named: Mapping[str, Tracker]) -> None:
        self._named = dict(named)

    def finished(self, result: Result) -> list[str]:
        """Send a result, and return who refused it and why."""
        refused = {}
        for name, tracker in self._named.items():
            try:
                tracker.finished(result)
            except Exception as error:  # a server that is gone is no reason to lose a run
                refused[name] = f"--track {name}: is sent no more results ({one_line(error)})"
        for name in refused:
            del self._named[name]
        return list(refused.values())


def opened(names: Sequence[str]) -> Trackers:
    """Return the trackers that are asked for as KIND or KIND:PLACE.

    Raises
    ------
    UsageError
        If there is no such kind, what it needs is not installed, or it cannot be opened.
    """
    trackers: dict[str, Tracker] = {}
    for name in names:
        kind, _, place = name.partition(":")
        if kind not in KINDS:
            known = ", ".join(KINDS)
            raise UsageError(f"--track {name}: is unknown; expected {known}, each with :PLACE or without")
        if find_spec(KINDS[kind]) is None:
            raise UsageError(f'--track {name}: run: pip install "audio-embedding-bench[{kind}]"')
        try:
            trackers[name] = import_module(f"bench.runner.trackers.{kind}").Tracker(place)
        except Exception as error:  # of whatever kind the package raises
            raise UsageError(f"--track {name}: {one_line(error)}") from error
    return Trackers(trackers)


def params(result: Result) -> dict[str, Any]:
    """Return the fields that identify a cell, in one level."""
    facts: dict[str, Any] = {"dataset": result.dataset, "task": result.task.name}
    facts |= {"extractor": result.extractor, "layer": result.view.layer, "pool": result.view.pool}
    facts |= {"head": result.head, "seed": result.seed, "train_size": result.train_size, "key": result.key}
    if result.split:
        facts |= {"split": result.split.protocol, "group": result.split.group}
    return facts


def values(result: Result) -> dict[str, float]:
    """Return a cell's scores with the bounds of their intervals, and its costs; none unless it is ok."""
    if result.status != Status.OK:
        return {}
    numbers: dict[str, float] = {}
    for score in result.scores:
        bounds = {"": score.value, "_low": score.low, "_high": score.high}
        name = display.metric(score)
        numbers |= {f"{name}{end}": value for end, value in bounds.items() if value is not None}
    costs = {field.name: getattr(result.cost, field.name) for field in fields(result.cost)}
    return numbers | {f"cost_{name}": float(value) for name, value in costs.items() if value is not None}
