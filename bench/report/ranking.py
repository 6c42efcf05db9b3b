"""Paired predictions of the rows of a table: their standings, and their p-values against chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench import stats
from bench.metrics import Metric, Predicted
from bench.stats import Standing
from bench.types import Labels, Result


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """Predictions of rows on the clips that all of them share.

    Parameters
    ----------
    rows : tuple[tuple[Predicted, ...], ...]
        Per row one per seed, of the same clips in the same order.
    group : Labels
        Group of every clip, shape=(n_clips,).
    """

    rows: tuple[tuple[Predicted, ...], ...]
    group: Labels

    @classmethod
    def of(cls, rows: Sequence[Sequence[Result]], tables: Mapping[str, pd.DataFrame]) -> "Aligned":
        """Return the predictions of rows, given the results of their seeds and the predictions by key."""
        frames = [[tables[result.key].set_index("clip") for result in seeds] for seeds in rows]
        first = frames[0][0]
        shared = first.index
        for seeds in frames:
            for frame in seeds:
                shared = shared.intersection(frame.index, sort=False)
        return cls(
            tuple(tuple(Predicted.of(frame.loc[shared]) for frame in seeds) for seeds in frames),
            first.loc[shared, "group"].to_numpy(str),
        )

    def standings(self, metric: Metric) -> Sequence[Standing | None]:
        """Return the standing of every row; None for all with too few groups to tell rows apart."""
        if len(self.rows) == 1:
            return [Standing(low=1, high=1, tied=True, p=1.0)]
        if len(np.unique(self.group)) < stats.MIN_GROUPS:
            return [None] * len(self.rows)
        units = [
            np.mean([stats.contributions(metric, p, self.group) for p in seeds], axis=0)
            for seeds in self.rows
        ]
        return stats.standings(np.array(units), metric.higher_is_better)

    def p_chance(self, metric: Metric) -> Sequence[float | None]:
        """Return the p-value of every row against chance; None for all where no test is possible."""
        return stats.above_chance(metric, self.rows, self.group) or [None] * len(self.rows)
