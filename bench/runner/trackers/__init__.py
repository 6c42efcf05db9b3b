"""Services that receive every result of a run: MLflow, TensorBoard, Weights & Biases."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from bench import display
from bench.catalog.requirements import installation
from bench.errors import UsageError, one_line
from bench.sharing import without_folders
from bench.types import Result, Status

PACKAGES = {"mlflow": "mlflow", "tensorboard": "tensorboardX", "wandb": "wandb"}
"""Service, which is the name of a module here and of an extra -> the package that it needs."""


class Tracker(Protocol):
    """A service that receives results."""

    def finished(self, result: Result) -> None:
        """Send the result of a cell."""


class Trackers:
    """All trackers of a run; one that raises receives nothing more, and the run continues.

    Parameters
    ----------
    folders : Sequence[str]
        Folders of this machine, which no service is told.
    """

    def __init__(self, trackers: Mapping[str, Tracker], folders: Sequence[str] = ()) -> None:
        self._trackers = dict(trackers)
        self._folders = folders

    def without(self, folders: Sequence[str]) -> "Trackers":
        """Return the trackers that are told none of some folders."""
        return Trackers(self._trackers, folders)

    def finished(self, result: Result) -> list[str]:
        """Send the result of a cell, and return a message for every tracker that raises."""
        messages = {}
        result = without_folders(result, self._folders)
        for name, tracker in self._trackers.items():
            try:
                tracker.finished(result)
            except Exception as error:  # a lost server must not end a run
                messages[name] = f"--track {name}: receives no more results ({one_line(error)})"
        for name in messages:
            del self._trackers[name]
        return list(messages.values())


NO_TRACKERS = Trackers({})


def connect(names: Sequence[str]) -> Trackers:
    """Return the trackers of names such as ``mlflow`` or ``mlflow:URI``.

    Raises
    ------
    UsageError
        If a service is unknown, its package is not installed, or it raises.
    """
    trackers: dict[str, Tracker] = {}
    for name in names:
        if name in trackers:
            raise UsageError(f"--track {name}: is there twice; give it once")
        service, _, target = name.partition(":")
        if service not in PACKAGES:
            services = ", ".join(PACKAGES)
            raise UsageError(f"--track {name}: is unknown; expected {services}, alone or with :TARGET")
        if find_spec(PACKAGES[service]) is None:
            raise UsageError(f"--track {name}: run: {installation(service)}")
        try:
            trackers[name] = import_module(f"bench.runner.trackers.{service}").Tracker(target)
        except Exception as error:  # packages raise errors of any class
            raise UsageError(f"--track {name}: {one_line(error)}") from error
    return Trackers(trackers)


def params(result: Result) -> dict[str, Any]:
    """Return what identifies a cell, as text and numbers."""
    return {
        "dataset": result.dataset,
        "task": result.task.name,
        "extractor": result.extractor,
        "view": display.view(result.view),
        "head": display.head(result.system),
        "seed": result.seed,
        "repeat": result.repeat,
        "split": display.split(result.split),
        "train_size": result.train_size,
        **({"normalise": result.normalise} if result.normalise else {}),
        "key": result.key,
    }


def metrics(result: Result) -> dict[str, float]:
    """Return a cell's scores, the bounds of their intervals and its costs; none unless it is ok."""
    if result.status != Status.OK:
        return {}
    numbers: dict[str, float | None] = {}
    for score in result.scores:
        name = display.metric(score)
        numbers |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
    numbers |= {f"cost_{name}": value for name, value in asdict(result.cost).items()}
    return {name: float(number) for name, number in numbers.items() if number is not None}
