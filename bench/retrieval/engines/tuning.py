"""Tuning: the fastest setting of an engine that reaches a recall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from bench.retrieval.engines.recall import Reference, interval
from bench.types.retrieval import Engine


@runtime_checkable
class Tunable(Engine, Protocol):
    """An engine whose search can be more or less thorough."""

    @property
    def settings(self) -> Sequence[Mapping[str, int]]:
        """Return parameters of `configure`, the fastest search first."""
        ...

    def configure(self, **setting: int) -> None:
        """Set how thorough a search is."""
        ...


def tune(engine: Engine, reference: Reference, recall: float) -> Mapping[str, int]:
    """Set an engine to the fastest of its settings that reaches a recall, and return the setting.

    A setting reaches it if the lower bound of its interval does. If none does, it is the last one. An engine
    that is not `Tunable` has the setting ``{}``.

    Parameters
    ----------
    reference : Reference
        Queries whose vectors are not in the engine.
    recall : float
        In (0, 1).
    """
    if not isinstance(engine, Tunable):
        return {}
    setting: Mapping[str, int] = {}
    for setting in engine.settings:
        engine.configure(**setting)
        if interval(reference.recalls(engine), reference.k)[0] >= recall:
            break
    return setting
