"""Verdicts on every cell of a baseline: worse only if a loss exceeds its limit and is significant.

With too few groups for a test, a loss that exceeds its limit is one that the gate cannot tell from chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench import display
from bench.errors import UsageError
from bench.gate.differences import Difference, Pair, differences
from bench.gate.limits import DEFAULT, Limit
from bench.store.baseline import Side
from bench.types import Result, Status, System


class Verdict(StrEnum):
    """What happened to a cell, the gravest first."""

    WORSE = "worse"
    VANISHED = "vanished"
    INCOMPARABLE = "not comparable"
    UNTESTABLE = "cannot tell"
    IMPROVED = "improved"
    NEW = "new"
    UNCHANGED = "unchanged"


FAILING = frozenset({Verdict.WORSE, Verdict.VANISHED, Verdict.INCOMPARABLE, Verdict.UNTESTABLE})
"""Verdicts that fail a gate; ``UNTESTABLE`` may be left to warn."""

GRAVITY: Mapping[Verdict, int] = {verdict: number for number, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class CellId:
    """The identity of a cell in two runs, whatever code computed them."""

    dataset: str
    task: str
    system: System
    seed: int
    repeat: int = 0

    @classmethod
    def of(cls, result: Result) -> "CellId":
        """Return the identity of a result's cell."""
        return cls(result.dataset, result.task.name, result.system, result.seed, result.repeat)


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell and its verdict.

    Parameters
    ----------
    result : Result
        The later result; for a vanished cell the earlier one.
    reason : str
        Why it vanished or is not comparable.
    """

    result: Result
    verdict: Verdict
    differences: Sequence[Difference] = ()
    reason: str = ""


def compare(before: Side, after: Side, limits: Sequence[Limit] = ()) -> list[Judged]:
    """Return the verdict on every cell, the gravest first, then in the order of the baseline.

    A score is worse, or improved, if it changed by more than the limit and the paired difference is
    significant at a level of 5 %, corrected for all comparisons. Without the predictions of both runs, it has
    to change by more than the standard deviation over its folds instead. With too few groups for a
    significant difference, a loss of more than the limit is `Verdict.UNTESTABLE`.

    Parameters
    ----------
    limits : Sequence[Limit]
        By default 0.02 of the metric that each task ranks by.

    Raises
    ------
    UsageError
        If the baseline has no computed cell, or no cell has one of the scores or costs in both runs.
    """
    earlier = {CellId.of(result): result for result in before.results if result.status == Status.OK}
    if not earlier:
        raise UsageError(f"{before.source}: has no computed cell, so there is nothing to compare with")
    later = {CellId.of(result): result for result in after.results}
    verdicts: dict[CellId, Judged] = {}
    pairs: dict[CellId, Pair] = {}
    for cell, result in earlier.items():
        verdict = _without_scores(result, later.get(cell))
        if verdict:
            verdicts[cell] = verdict
        else:
            pairs[cell] = Pair(result, later[cell])
    for cell, result in later.items():
        if cell not in earlier and result.status == Status.OK:
            verdicts[cell] = Judged(result, Verdict.NEW)
    verdicts |= _of_pairs(before, after, pairs, limits or [DEFAULT])
    ordered = [verdicts[cell] for cell in {**earlier, **later} if cell in verdicts]
    return sorted(ordered, key=lambda judged: GRAVITY[judged.verdict])


def check_compared(cells: Sequence[Judged], baseline: Path, out: Path) -> None:
    """Refuse verdicts without a single comparison of scores or costs.

    Raises
    ------
    UsageError
        If no cell of the baseline has a comparable score or cost in the run.
    """
    if any(judged.differences for judged in cells):
        return
    judged = cells[0]
    reason = f"{display.cell(judged.result)} {judged.reason or 'has no score in common'}"
    raise UsageError(f"{out}: has nothing to compare with {baseline}: {judged.verdict}: {reason}")


def _without_scores(before: Result, after: Result | None) -> Judged | None:
    """Return the verdict on a cell whose scores cannot be compared; None if they can."""
    if after is None:
        return Judged(before, Verdict.VANISHED, reason="is not in the new run")
    if after.status != Status.OK:
        return Judged(before, Verdict.VANISHED, reason=f"{after.status}: {display.cause(after)}")
    reason = _incomparable(before, after)
    return Judged(after, Verdict.INCOMPARABLE, reason=reason) if reason else None


def _incomparable(before: Result, after: Result) -> str:
    """Return why two results were not tested alike; empty if they were."""
    if not before.split_digest or not after.split_digest:
        return "a result of an old version does not say on which clips it was tested"
    if before.split != after.split:
        return f"the split was {display.split(before.split)}, and is {display.split(after.split)}"
    return "other clips, labels, folds or groups" if before.split_digest != after.split_digest else ""


def _of_pairs(
    before: Side, after: Side, pairs: Mapping[CellId, Pair], limits: Sequence[Limit]
) -> dict[CellId, Judged]:
    """Return the verdicts on cells with two comparable results."""
    measured = differences(before, after, list(pairs.values()), limits)
    names = {item.limit.name for items in measured for item in items}
    for limit in limits:
        if pairs and limit.name and limit.name not in names:
            raise UsageError(f"--fail-on {limit.name}: no cell has it before and after")
    return {
        cell: Judged(pair.after, _verdict(items), items)
        for (cell, pair), items in zip(pairs.items(), measured, strict=True)
    }


def _verdict(items: Sequence[Difference]) -> Verdict:
    """Return the gravest verdict on the differences of a cell."""
    return min(map(verdict_on, items), key=GRAVITY.__getitem__, default=Verdict.UNCHANGED)


def verdict_on(difference: Difference) -> Verdict:
    """Return the verdict on one difference."""
    if difference.is_worse:
        return Verdict.WORSE
    if difference.is_over_limit and not difference.is_testable:
        return Verdict.UNTESTABLE
    return Verdict.IMPROVED if difference.is_better else Verdict.UNCHANGED
