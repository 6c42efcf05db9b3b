"""The best row's score, corrected for its choice, from the predictions of all rows."""

import numpy as np

from bench import stats
from bench.metrics import Metric
from bench.report.ranking import Aligned
from bench.stats import BestScore


def corrected(aligned: Aligned, metric: Metric) -> BestScore | None:
    """Return the score of the best of some rows on the clips that all of them predict.

    A row's score is the mean over its seeds and repeats.

    Returns
    -------
    BestScore | None
        None for a single row, a single group, or predictions of too many clips.
    """
    if len(aligned.rows) < 2:
        return None
    pairs = []
    for row in aligned.rows:
        of_seeds = [stats.draw_pairs(metric, predicted, aligned.group) for predicted in row]
        complete = [pair for pair in of_seeds if pair]
        if len(complete) < len(row):
            return None
        pairs.append(np.mean(complete, axis=0))
    inside, outside = np.stack(pairs, axis=1)
    return stats.best_score(inside, outside, metric.higher_is_better)
