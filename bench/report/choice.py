"""The best row's score, corrected for its choice, from the predictions of all rows."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench import stats
from bench.metrics import METRICS, Predicted
from bench.stats import BestScore


def corrected(rows: Sequence[Sequence[pd.DataFrame]], metric: str) -> BestScore | None:
    """Return the score of the best of some rows on the clips that all of them predict.

    Parameters
    ----------
    rows : Sequence[Sequence[pd.DataFrame]]
        Predictions of every row, one table per seed; a row's score is the mean over its seeds.

    Returns
    -------
    BestScore | None
        None for a single row, a single group, or predictions of too many clips.
    """
    if len(rows) < 2:
        return None
    tables = [[table.set_index("clip") for table in seeds] for seeds in rows]
    first = tables[0][0]
    shared = first.index
    for table in (table for seeds in tables for table in seeds):
        shared = shared.intersection(table.index, sort=False)
    group = first.loc[shared, "group"].to_numpy(str)
    pairs = []
    for seeds in tables:
        of_seeds = [
            stats.draw_pairs(METRICS[metric], Predicted.of(table.loc[shared]), group) for table in seeds
        ]
        complete = [pair for pair in of_seeds if pair]
        if len(complete) < len(seeds):
            return None
        pairs.append(np.mean(complete, axis=0))
    inside, outside = np.stack(pairs, axis=1)
    return stats.best_score(inside, outside, METRICS[metric].higher_is_better)
