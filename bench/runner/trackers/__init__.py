"""Where results are sent besides the folder of the run: MLflow, TensorBoard, Weights & Biases."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

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


def title(result: Result) -> str:
    """Return what a cell is called."""
    return f"{result.dataset} {result.task} {result.extractor} {result.head}"


def params(result: Result) -> dict[str, Any]:
    """Return what a cell is."""
    names = ("dataset", "task", "extractor", "view", "head", "seed", "split", "train_size", "key")
    return {name: getattr(result, name) for name in names}


def values(result: Result) -> dict[str, float]:
    """Return a cell's scores with the bounds of their intervals, and its costs; none unless it is ok."""
    if result.status != Status.OK:
        return {}
    found: dict[str, float] = {}
    for name, score in result.scores.items():
        bounds = {"": score.value, "_low": score.low, "_high": score.high}
        found |= {f"{name}{end}": value for end, value in bounds.items() if value is not None}
    cost = result.cost
    for name in cost.__dataclass_fields__:
        value = getattr(cost, name)
        if value is not None:
            found[f"cost_{name}"] = float(value)
    return found
