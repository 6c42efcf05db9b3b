"""What became of every cell of a baseline: a score is worse if the loss is large and no chance."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

import numpy as np

from bench import catalog, stats
from bench.errors import UsageError
from bench.metrics import METRICS
from bench.stats import Comparison
from bench.store.baseline import Side
from bench.types import Cost, Result, Score, Status

__all__ = ["COSTS", "FAILING", "Change", "Judged", "Limit", "Verdict", "compare"]

MOST_LOST = 0.02
"""Of the ranking metric, unless something else is asked for."""

COSTS = Cost.names("limit")
"""What a limit may be on besides metrics; more of it is worse."""

SLACK = 1e-9
"""A loss that is the limit but for rounding is not beyond it."""


class Verdict(StrEnum):
    """What became of a cell, the gravest first."""

    WORSE = "worse"
    VANISHED = "vanished"
    INCOMPARABLE = "not comparable"
    IMPROVED = "improved"
    NEW = "new"
    UNCHANGED = "unchanged"


FAILING = frozenset({Verdict.WORSE, Verdict.VANISHED, Verdict.INCOMPARABLE})
"""The verdicts that a gate stops at."""


Name = tuple[object, ...]
"""What two versions of a cell share, whatever code computed them."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much worse something may get.

    Parameters
    ----------
    name : str
        A metric or one of `COSTS`; empty for the metric that a task ranks by.
    most : float
        Of a metric, in its own unit; of a cost, how many times what it was.
    """

    name: str
    most: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the limit that ``METRIC:AMOUNT`` or ``COST:FACTORx`` describes.

        Raises
        ------
        UsageError
            If it describes none.

        Examples
        --------
        >>> Limit.parse("extract_s:1.5x")
        Limit(name='extract_s', most=1.5)
        """
        name, _, amount = text.partition(":")
        if name in COSTS:
            if re.fullmatch(r"\d+(\.\d+)?x", amount) and float(amount[:-1]) >= 1:
                return cls(name, float(amount[:-1]))
            raise UsageError(f"--fail-on {text}: expected {name}:FACTORx with a factor from 1, such as 1.5x")
        catalog.find("metric or cost", name, dict.fromkeys([*METRICS, *COSTS]))
        if not re.fullmatch(r"\d*\.?\d+", amount):
            raise UsageError(f"--fail-on {text}: expected {name}:AMOUNT, such as {name}:0.02")
        return cls(name, float(amount))


@dataclass(frozen=True, slots=True)
class Change:
    """A score or cost of a cell, before and after.

    Parameters
    ----------
    low, high : float | None
        The interval of after minus before, paired clip by clip; None where predictions are not kept.
    p : float | None
        That chance alone makes such a difference: the larger one of the bootstrap's, corrected by Holm for
        all that was compared, and of that by exchanging the two runs group by group.
    spread : float | None
        The standard deviation over folds, where that has to serve instead.
    """

    limit: Limit
    before: float
    after: float
    verdict: Verdict = Verdict.UNCHANGED
    low: float | None = None
    high: float | None = None
    p: float | None = None
    spread: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell and what became of it.

    Parameters
    ----------
    result : Result
        The later one; of a vanished cell the earlier one.
    reason : str
        Why it vanished or cannot be compared.
    """

    result: Result
    verdict: Verdict
    changes: Sequence[Change] = ()
    reason: str = ""


def compare(before: Side, after: Side, limits: Sequence[Limit] = ()) -> list[Judged]:
    """Return what became of every cell, the gravest first and else in the order of the baseline.

    A score is worse, or improved, if it changed by more than the limit, and the paired difference is beyond
    chance at a level of 5 %, corrected for everything that was compared. Where predictions are not kept, it
    has to change by more than the standard deviation of its folds instead.

    Parameters
    ----------
    limits : Sequence[Limit]
        By default 0.02 of the metric that each task ranks by.

    Raises
    ------
    UsageError
        If no cell of either has one of the scores or costs.
    """
    earlier = {_name(result): result for result in before.results if result.status == Status.OK}
    later = {_name(result): result for result in after.results}
    pairs: dict[Name, tuple[Result, Result]] = {}
    judged: dict[Name, Judged] = {}
    for name, then in earlier.items():
        now = later.get(name)
        if now is None or now.status != Status.OK:
            reason = f"{now.status}: {now.reason}" if now else "is not in the new run"
            judged[name] = Judged(then, Verdict.VANISHED, reason=reason)
        elif reason := _apart(then, now):
            judged[name] = Judged(now, Verdict.INCOMPARABLE, reason=reason)
        else:
            pairs[name] = then, now
    for name, now in later.items():
        if name not in earlier and now.status == Status.OK:
            judged[name] = Judged(now, Verdict.NEW)
    changes = _changes(before, after, pairs, limits or [Limit("", MOST_LOST)])
    for name, own in changes.items():
        verdict = min((change.verdict for change in own), key=list(Verdict).index, default=Verdict.UNCHANGED)
        judged[name] = Judged(pairs[name][1], verdict, own)
    order = {name: place for place, name in enumerate([*earlier, *later])}
    return [
        judged[name]
        for name in sorted(judged, key=lambda name: (list(Verdict).index(judged[name].verdict), order[name]))
    ]


def _name(result: Result) -> Name:
    return (
        *(result.dataset, result.task, result.extractor, result.view, result.head),
        *(result.seed, result.train_size, result.preprocess, result.augment),
    )


def _apart(then: Result, now: Result) -> str:
    """Return why two results say nothing of each other; empty if they do."""
    if not then.split_digest or not now.split_digest:
        return "a result of a version that did not say on which clips it was tested"
    if then.split != now.split:
        return f"was split by {then.split}, is by {now.split}"
    return "other clips, labels, folds or groups" if then.split_digest != now.split_digest else ""


@dataclass(frozen=True, slots=True)
class _Found:
    """A change before all are judged, and how it differs where predictions of both are kept."""

    change: Change
    paired: Comparison | None = None


def _changes(
    before: Side, after: Side, pairs: Mapping[Name, tuple[Result, Result]], limits: Sequence[Limit]
) -> Mapping[Name, Sequence[Change]]:
    """Return the judged changes of every pair under the limits."""
    found: list[tuple[Name, _Found]] = []
    for name, (then, now) in pairs.items():
        for limit in limits:
            named = limit if limit.name else replace(limit, name=next(iter(now.scores)))
            costs = named.name in COSTS
            seen = _cost(then, now, named) if costs else _score(then, now, named, before, after)
            if seen:
                found.append((name, seen))
    known = {each.change.limit.name for _, each in found}
    for limit in limits:
        if pairs and limit.name and limit.name not in known:
            raise UsageError(f"--fail-on {limit.name}: no cell has it before and after")
    paired = [each.paired for _, each in found if each.paired]
    corrected = stats.holm([each.difference.p for each in paired])
    chances = (max(p, each.permutation) for p, each in zip(corrected, paired, strict=True))
    judged: dict[Name, list[Change]] = {name: [] for name in pairs}
    for name, each in found:
        change = replace(each.change, p=next(chances)) if each.paired else each.change
        judged[name].append(replace(change, verdict=_verdict(change)))
    return judged


def _cost(then: Result, now: Result, limit: Limit) -> _Found | None:
    """Return how a cost changed; None if it was not measured."""
    before, after = getattr(then.cost, limit.name), getattr(now.cost, limit.name)
    return _Found(Change(limit, before, after)) if before and after else None


def _score(then: Result, now: Result, limit: Limit, before: Side, after: Side) -> _Found | None:
    """Return how a score changed, with what is known of the difference; None if one of them lacks it."""
    if limit.name not in then.scores or limit.name not in now.scores:
        return None
    old, new = then.scores[limit.name], now.scores[limit.name]
    change = Change(limit, old.value, new.value)
    if then.predictions and then.predictions == now.predictions:
        return _Found(replace(change, low=0.0, high=0.0))
    was, now_is = before.predictions(then.key), after.predictions(now.key)
    paired = None
    if limit.name in METRICS and was is not None and now_is is not None:
        paired = stats.paired(METRICS[limit.name], now_is, was)
    if paired is None:
        return _Found(replace(change, spread=max(_spread(old), _spread(new))))
    return _Found(replace(change, low=paired.difference.low, high=paired.difference.high), paired)


def _spread(score: Score) -> float:
    return float(np.std(score.folds)) if score.folds else 0.0


def _verdict(change: Change) -> Verdict:
    """Return what a score's or cost's change means."""
    name, most = change.limit.name, change.limit.most
    if name in COSTS:
        loss, gain = change.after / change.before - most, change.before / change.after - most
    else:
        sign = 1 if name not in METRICS or METRICS[name].higher_is_better else -1
        least = max(most, change.spread or 0.0)
        loss, gain = (side * sign * (change.before - change.after) - least for side in (1, -1))
    beyond = change.p is None or change.p < 1 - stats.LEVEL
    if beyond and loss > SLACK:
        return Verdict.WORSE
    return Verdict.IMPROVED if beyond and gain > SLACK else Verdict.UNCHANGED
