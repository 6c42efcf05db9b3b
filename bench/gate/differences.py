"""Differences of scores and costs between a baseline and a run, with their statistics."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from bench import stats
from bench.gate.limits import Limit
from bench.metrics import METRICS
from bench.stats import Comparison
from bench.store.baseline import Side
from bench.types import Result, Score

SLACK = 1e-9
"""Rounding error by which a loss may exceed its limit."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The results of one cell in the baseline and in the run."""

    before: Result
    after: Result


@dataclass(frozen=True, slots=True)
class Difference:
    """A score or a cost of a cell, before and after.

    Parameters
    ----------
    low, high : float | None
        Interval of after minus before, paired clip by clip; None without the predictions of both.
    p : float | None
        Probability of the difference by chance: the larger one of the bootstrap's p, corrected by Holm for
        all comparisons, and the p of exchanging the two runs group by group; None without predictions.
    spread : float | None
        Standard deviation over the folds, which replaces the statistics without predictions.
    n_groups : int | None
        Number of groups that the statistics are from; None without predictions.
    visible_loss : float | None
        Smallest loss that this gate finds in 80 % of all runs; None if no prediction changed, or without
        predictions.
    """

    limit: Limit
    before: float
    after: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    spread: float | None = None
    n_groups: int | None = None
    visible_loss: float | None = None

    @property
    def is_significant(self) -> bool:
        """Return whether chance alone seldom makes the difference; True without statistics."""
        return self.p is None or self.p < 1 - stats.LEVEL

    @property
    def is_testable(self) -> bool:
        """Return whether there are enough groups for a significant difference; True without statistics."""
        return self.n_groups is None or self.n_groups >= stats.MIN_GROUPS

    @property
    def is_over_limit(self) -> bool:
        """Return whether the loss exceeds the limit, significant or not."""
        return self._excess(self.before, self.after) > SLACK

    @property
    def is_worse(self) -> bool:
        """Return whether the loss exceeds the limit and is significant."""
        return self.is_significant and self.is_over_limit

    @property
    def is_better(self) -> bool:
        """Return whether the gain exceeds the limit and is significant."""
        return self.is_significant and self._excess(self.after, self.before) > SLACK

    def _excess(self, good: float, bad: float) -> float:
        """Return how far the loss from `good` to `bad` exceeds the limit."""
        name, most = self.limit.name, self.limit.most
        if self.limit.is_cost:
            return bad / good - most
        higher_is_better = name not in METRICS or METRICS[name].higher_is_better
        loss = good - bad if higher_is_better else bad - good
        return loss - max(most, self.spread or 0.0)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A difference, and its paired comparison if the predictions of both runs are there."""

    difference: Difference
    comparison: Comparison | None = None

    def with_statistics(self, corrected: Iterator[float], n_comparisons: int) -> Difference:
        """Return the difference with its p and its power; a comparison takes the next corrected p."""
        if self.comparison is None:
            return self.difference
        error, n_groups = self.comparison.difference.standard_error, self.comparison.difference.n_groups
        return replace(
            self.difference,
            p=max(next(corrected), self.comparison.permutation),
            n_groups=n_groups,
            visible_loss=stats.visible_loss(error, n_groups, self.difference.limit.most, n_comparisons),
        )


def differences(
    before: Side, after: Side, pairs: Sequence[Pair], limits: Sequence[Limit]
) -> list[list[Difference]]:
    """Return the differences of every pair, one per limit on something that both of its results have."""
    measured = [
        [item for limit in limits if (item := _measured(before, after, pair, limit))] for pair in pairs
    ]
    comparisons = [item.comparison for items in measured for item in items if item.comparison]
    corrected = iter(stats.holm([comparison.difference.p for comparison in comparisons]))
    return [[item.with_statistics(corrected, len(comparisons)) for item in items] for items in measured]


def _measured(before: Side, after: Side, pair: Pair, limit: Limit) -> _Measured | None:
    if limit.is_cost:
        return _cost(pair, limit)
    return _score(before, after, pair, limit if limit.name else _ranking(pair, limit))


def _ranking(pair: Pair, limit: Limit) -> Limit:
    """Return a limit on the metric that the pair's task ranks by."""
    return replace(limit, name=next((score.metric for score in pair.after.scores), ""))


def _cost(pair: Pair, limit: Limit) -> _Measured | None:
    """Return the difference of a cost; None if one run did not measure it."""
    before, after = getattr(pair.before.cost, limit.name), getattr(pair.after.cost, limit.name)
    return _Measured(Difference(limit, before, after)) if before and after else None


def _score(before: Side, after: Side, pair: Pair, limit: Limit) -> _Measured | None:
    """Return the difference of a score with its statistics; None if one result lacks the score."""
    old, new = pair.before.score(limit.name), pair.after.score(limit.name)
    if old is None or new is None:
        return None
    difference = Difference(limit, old.value, new.value)
    if pair.before.predictions and pair.before.predictions == pair.after.predictions:
        return _Measured(replace(difference, low=0.0, high=0.0))
    tables = before.predictions(pair.before.key), after.predictions(pair.after.key)
    comparison = _comparison(*tables, limit)
    if comparison is None:
        if tables[1] is not None and len(set(tables[1]["group"])) == 1:
            return _Measured(replace(difference, n_groups=1, p=1.0))
        return _Measured(replace(difference, spread=max(_spread(old), _spread(new))))
    low, high = comparison.difference.low, comparison.difference.high
    return _Measured(replace(difference, low=low, high=high), comparison)


def _comparison(before: pd.DataFrame | None, after: pd.DataFrame | None, limit: Limit) -> Comparison | None:
    """Return the paired comparison of two tables of predictions; None if it is not possible."""
    if before is None or after is None or limit.name not in METRICS:
        return None
    return stats.paired(METRICS[limit.name], after, before)


def _spread(score: Score) -> float:
    return float(np.std(score.folds)) if score.folds else 0.0
