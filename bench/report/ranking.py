"""Paired predictions of the rows of a table: their standings, and their p-values against chance."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench import stats
from bench.metrics import Metric, Predicted
from bench.stats import Standing
from bench.types import Labels


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """Predictions of rows on the clips that all of them share.

    Parameters
    ----------
    rows : tuple[tuple[Predicted, ...], ...]
        Per row one per seed and repeat, of the same clips in the same order.
    group : Labels
        Group of every clip, shape=(n_clips,).
    """

    rows: tuple[tuple[Predicted, ...], ...]
    group: Labels

    @classmethod
    def of(cls, rows: Sequence[Sequence[pd.DataFrame]]) -> "Aligned | None":
        """Return the predictions of rows, one table per seed and repeat; None if they share no clip.

        Of a repeated hold-out, whose repeats test other clips, the tables of the first repeat are compared.
        """
        frames = [_of_same_clips([table.set_index("clip") for table in tables]) for tables in rows]
        if not frames:
            return None
        first = frames[0][0]
        shared = first.index
        for frame in itertools.chain.from_iterable(frames):
            shared = shared.intersection(frame.index, sort=False)
        if not len(shared):
            return None
        return cls(
            tuple(tuple(Predicted.of(frame.loc[shared]) for frame in tables) for tables in frames),
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


def _of_same_clips(tables: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the tables, indexed by clip, that hold the clips of the first one in whatever order."""
    clips = tables[0].index
    return [table for table in tables if table.index.equals(clips) or clips.isin(table.index).all()]
