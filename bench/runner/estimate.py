"""What a run would do, and how long that takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from bench.embed.cache import Cache
from bench.request import Request
from bench.runner.planning import Plan, layers
from bench.store import Store
from bench.types import Layer, Result, Status

Name = tuple[str, str]
"""The kind of some work, and who does it."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is there, and what is to be done.

    Parameters
    ----------
    embeddings : Sequence[Mapping[str, str | int]]
        Of every data set and extractor in the plan its name, its clips and their hours, and how many of them
        are kept.
    n_cells : int
        Cells of the plan.
    there : Set[str]
        The keys of those that the store has.
    rejected : Sequence[Result]
        What cannot be computed, with its reason.
    forecast : Forecast
        How long the rest takes.
    """

    embeddings: Sequence[Mapping[str, str | int]]
    n_cells: int
    there: Set[str]
    rejected: Sequence[Result]
    forecast: Forecast

    def told(self) -> Mapping[str, Any]:
        """Return what an observer is told; the rest takes so many `seconds`."""
        return {
            "todo": self.n_cells - len(self.there),
            "there": len(self.there),
            "impossible": len(self.rejected),
            "embeddings": list(self.embeddings),
            "seconds": self.forecast.left(),
        }


def _reusable(plan: Plan, request: Request, store: Store, known: Mapping[str, Result]) -> set[str]:
    """Return the keys of the cells that the store has, made of as many clips as the request asks for."""
    there = set()
    for cell in plan.cells:
        result = known.get(cell.key)
        allowed = request.allow_bad * len(plan.sources[cell.dataset].contents)
        whole = result is not None and result.status == Status.OK and result.n_bad <= allowed
        kept = store.models_path(cell.key).is_dir() or not request.save_models
        if whole and kept and store.predictions_path(cell.key).is_file():
            there.add(cell.key)
    return there


def outlook(plan: Plan, request: Request, store: Store, cache: Cache) -> Outlook:
    """Return what running a plan would do; nothing is decoded or written."""
    known = store.results()
    there = _reusable(plan, request, store, known)
    forecast = Forecast(known.values())
    framed: dict[tuple[str, str], set[Layer]] = {}
    todo = set()
    for cell in plan.cells:
        pair = cell.dataset, cell.extractor.name
        framed.setdefault(pair, set())
        if cell.key not in there:
            todo.add(pair)
            framed[pair] |= layers(cell)
            forecast.ask(("head", cell.head.name), len(plan.sources[cell.dataset].contents))
    embeddings: list[Mapping[str, str | int]] = []
    for pair, wanted in framed.items():
        dataset, extractor = pair
        source = plan.sources[dataset]
        seconds = {c: s for c, s in zip(source.contents, source.seconds, strict=True) if c}
        kept = seconds.keys() & cache.contents(plan.digests[extractor], wanted)
        hours = f"{sum(seconds.values()) / 3600:.2f}"
        row = (dataset, extractor, len(seconds), hours, len(kept))
        embeddings.append(dict(zip(("data set", "extractor", "clips", "hours", "kept"), row, strict=True)))
        if pair in todo:
            forecast.ask(("extractor", extractor), sum(s for c, s in seconds.items() if c not in kept))
    return Outlook(embeddings, len(plan.cells), there, plan.rejected, forecast)


class Forecast:
    """How long what is asked for takes one worker, by what such work took before.

    Work is named by its kind and who does it, such as ``("extractor", "mfcc")``; its amount is in s of audio
    for an extractor, and in clips for a head. Who is new is expected to be as fast as the others of its kind.

    Parameters
    ----------
    known : Iterable[Result]
        What was done before.
    """

    def __init__(self, known: Iterable[Result] = ()) -> None:
        self._asked: dict[Name, float] = defaultdict(float)
        self._amount: dict[Name, float] = defaultdict(float)
        self._seconds: dict[Name, float] = defaultdict(float)
        for result in known:
            if result.status == Status.OK:
                cost = result.cost
                self._learn(("extractor", result.extractor), cost.audio_s, cost.extract_s)
                self._learn(("head", result.head), result.n_test, cost.fit_s + cost.predict_s)

    def ask(self, name: Name, amount: float) -> None:
        """Take note that some work is to be done."""
        self._asked[name] += amount

    def done(self, name: Name, amount: float, seconds: float) -> None:
        """Take note that some of it is done, and what it took."""
        self._asked[name] -= amount
        self._learn(name, amount, seconds)

    def left(self) -> float | None:
        """Return what the rest takes, in s; None while nothing like some of it was ever done."""
        total = 0.0
        for name, amount in self._asked.items():
            alike = [name] if self._amount[name] else [each for each in self._amount if each[0] == name[0]]
            before = sum(self._amount[each] for each in alike)
            if amount > 0 and not before:
                return None
            total += max(amount, 0.0) * sum(self._seconds[each] for each in alike) / (before or 1.0)
        return total

    def _learn(self, name: Name, amount: float, seconds: float) -> None:
        self._amount[name] += amount
        self._seconds[name] += seconds
