"""What a run will do, and how long that takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from bench.embed.cache import Cache
from bench.learn.tuning import INNER_FOLDS
from bench.request import Request
from bench.runner.choices import Selection
from bench.runner.events import ClipCounts, Planned
from bench.runner.planning import Plan, layers
from bench.store import Store
from bench.types import BASELINE, Cell, Kind, Layer, Result, Status

Plugin = tuple[Kind, str]
"""Kind and name of a plugin, such as ``("extractor", "mfcc")``."""


def head_of(item: Cell | Result) -> Plugin:
    """Return the head of a cell; one that chooses among layers takes longer, and counts as another."""
    name = item.identity_names[1] if isinstance(item, Result) else item.head.identity_name
    return "head", f"{name}@layer=best" if item.view.layer == "best" else name


class Forecast:
    """Time left for one worker, from the speed of earlier work.

    An extractor's work is measured in s of audio, a head's work in clips. A plugin without earlier work is
    assumed to be as fast as the others of its kind.

    Parameters
    ----------
    results : Iterable[Result]
        Results whose costs are the earlier work.
    """

    def __init__(self, results: Iterable[Result] = ()) -> None:
        self._planned: dict[Plugin, float] = defaultdict(float)
        self._finished: dict[Plugin, float] = defaultdict(float)
        self._seconds: dict[Plugin, float] = defaultdict(float)
        for result in results:
            if result.status == Status.OK and not result.chosen:
                cost = result.cost
                self._measure(("extractor", result.extractor), cost.audio_s, cost.extract_s)
                self._measure(head_of(result), result.n_test, cost.fit_s + cost.predict_s)

    def plan(self, plugin: Plugin, amount: float) -> None:
        """Add work to do; a negative amount cancels work."""
        self._planned[plugin] += amount

    def finish(self, plugin: Plugin, amount: float, seconds: float, n_passes: float = 1) -> None:
        """Move work from planned to finished, with the time that one of its passes took in s."""
        self._planned[plugin] -= amount * n_passes
        self._measure(plugin, amount, seconds)

    def seconds_left(self) -> float | None:
        """Return the time that the planned work takes, in s; None if no plugin of some kind has a speed."""
        total = 0.0
        for plugin, amount in self._planned.items():
            if amount <= 0:
                continue
            kind, _ = plugin
            peers = (
                [plugin] if self._finished[plugin] else [peer for peer in self._finished if peer[0] == kind]
            )
            finished = sum(self._finished[peer] for peer in peers)
            if not finished:
                return None
            total += amount * sum(self._seconds[peer] for peer in peers) / finished
        return total

    def _measure(self, plugin: Plugin, amount: float, seconds: float) -> None:
        self._finished[plugin] += amount
        self._seconds[plugin] += seconds


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will do, and how long that takes.

    Parameters
    ----------
    planned : Planned
        The event that starts the run.
    results : Mapping[str, Result]
        Key -> result that the store already has.
    reusable : Set[str]
        Keys of the cells that need no computing.
    """

    planned: Planned
    results: Mapping[str, Result]
    reusable: Set[str]
    forecast: Forecast


def estimate(plan: Plan, request: Request, store: Store, cache: Cache) -> Estimate:
    """Return what running a plan will do, without decoding or writing anything."""
    results = store.results()
    reusable = {cell.key for cell in plan.cells if _is_reusable(cell, plan, request, store, results)}
    reusable |= {
        selection.key for selection in plan.selections if _is_chosen(selection, store, results, reusable)
    }
    forecast = Forecast(results.values())
    framed: dict[tuple[str, str], set[Layer]] = {}
    to_embed: set[tuple[str, str]] = set()
    for cell in plan.cells:
        pair = cell.dataset, cell.extractor.name
        framed.setdefault(pair, set())
        if cell.key not in reusable:
            to_embed.add(pair)
            framed[pair] |= layers(cell)
            n_clips = len(plan.sources[cell.dataset].contents)
            forecast.plan(head_of(cell), n_clips * passes(cell, request))
    embeddings = []
    for (dataset, extractor), frame_layers in framed.items():
        source = plan.sources[dataset]
        seconds = source.durations
        cached = seconds.keys() & cache.contents(plan.digests[extractor], frame_layers)
        embeddings.append(ClipCounts.of(source, extractor, len(cached)))
        if (dataset, extractor) in to_embed:
            audio_s = sum(s for content, s in seconds.items() if content not in cached)
            forecast.plan(("extractor", extractor), audio_s)
    planned = Planned(
        to_compute=len(plan.cells) + len(plan.selections) - len(reusable),
        cached=len(reusable),
        not_possible=len(plan.rejected),
        embeddings=tuple(embeddings),
        seconds=forecast.seconds_left(),
    )
    return Estimate(planned, results, reusable, forecast)


def passes(cell: Cell, request: Request) -> float:
    """Return the work of a cell as a multiple of its evaluation: with inner folds and permuted labels.

    Every outer fold has `INNER_FOLDS` inner ones, each fitted to all but one of these parts.
    """
    inner = INNER_FOLDS - 1 if request.select and cell.head.name != BASELINE else 0
    return 1 + inner + 2 * cell.n_permutations


def _is_reusable(
    cell: Cell, plan: Plan, request: Request, store: Store, results: Mapping[str, Result]
) -> bool:
    """Return whether the store has a cell's result and files, from as many clips as the request demands."""
    result = results.get(cell.key)
    if result is None or result.status != Status.OK:
        return False
    if result.n_bad > request.allow_bad * len(plan.sources[cell.dataset].contents):
        return False
    if request.save_models and not store.models_path(cell.key).is_dir():
        return False
    if request.select and cell.head.name != BASELINE and not result.inner:
        return False
    return store.has_predictions(cell.key)


def _is_chosen(selection: Selection, store: Store, results: Mapping[str, Result], reusable: Set[str]) -> bool:
    """Return whether the store has a selection's result and predictions, and those of all its candidates."""
    result = results.get(selection.key)
    is_complete = all(cell.key in reusable for cell in selection.candidates)
    return is_complete and result is not None and bool(result.chosen) and store.has_predictions(selection.key)
