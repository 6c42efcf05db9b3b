"""What a head predicted -> its scores, with their intervals, at every level."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from bench import intervals
from bench.evaluate import clustering, levels, score
from bench.metrics import METRICS, Predicted
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
    found = dict(_bounded(predictions, score(predictions, metrics)))
    for level, table in levels(predictions, parent).items():
        [own] = _bounded(table, score(table, [main])).values()
        found[f"{main}[{level}]"] = own
    return {**found, **clustering(predictions)}


def _bounded(table: pd.DataFrame, known: Mapping[str, Score]) -> Mapping[str, Score]:
    """Return scores with their intervals."""
    predicted, group = Predicted.of(table), table["group"].to_numpy(str)
    bounds = {name: intervals.bounds(METRICS[name], predicted, group) for name in known}
    return {
        name: replace(each, low=found[0], high=found[1]) if (found := bounds[name]) else each
        for name, each in known.items()
    }
