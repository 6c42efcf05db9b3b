"""What a head predicted -> its scores, with their intervals, at every level."""

from collections.abc import Mapping, Sequence

import pandas as pd

from bench import stats
from bench.learn.folds import clustering, levels, score
from bench.types import Labels, Score


def scores(predictions: pd.DataFrame, metrics: Sequence[str], parent: Labels | None) -> Mapping[str, Score]:
    """Return a task's metrics, the first one at every other level as METRIC[LEVEL], and clusters' scores.

    Parameters
    ----------
    predictions : pd.DataFrame
        As in `Evaluation`, with the column `group`.
    parent : Labels | None
        The clip that each row is a segment of.
    """
    main = metrics[0]
    found = dict(stats.bounded(predictions, score(predictions, metrics)))
    for level, table in levels(predictions, parent).items():
        [own] = stats.bounded(table, score(table, [main])).values()
        found[f"{main}[{level}]"] = own
    return {**found, **clustering(predictions)}
