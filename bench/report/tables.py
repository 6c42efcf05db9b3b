"""What a store holds as tables: one per dataset and task, the best row first, with how sure that order is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bench import intervals
from bench.evaluate import score
from bench.intervals import Standing
from bench.metrics import METRICS, Floats, Predicted
from bench.store import Store
from bench.types import BASELINE, Result, Score, Status

SYNTHETIC = "synthetic"
LEAKY = "leaky split"
PERMUTED = "labels permuted"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One extractor, view and head, over all seeds.

    Parameters
    ----------
    results : Sequence[Result]
        One per seed.
    scores : Mapping[str, Score]
        Means over the seeds; their intervals are of the data alone.
    spread : float
        The standard deviation of the ranking metric over the seeds; 0 of one seed.
    standing : Standing
        The ranks that it may have.
    """

    results: Sequence[Result]
    scores: Mapping[str, Score]
    spread: float
    standing: Standing

    @property
    def first(self) -> Result:
        """Return the result of the first seed."""
        return self.results[0]

    @property
    def name(self) -> str:
        """Return what it is called where its view does not matter."""
        return BASELINE if self.first.head == BASELINE else f"{self.first.extractor} {self.first.head}"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The results of one task on one dataset.

    Parameters
    ----------
    protocol : Mapping[str, Any]
        What run.json says of the split and the metrics; empty if the split was impossible.
    source : Mapping[str, Any]
        What run.json says of the dataset.
    rows : Sequence[Row]
        Of the cells that learnt from most training clips, by default from all of them; best first.
    smaller : Sequence[Row]
        Of cells that learnt from fewer.
    others : Sequence[Result]
        The failed and skipped ones.
    """

    dataset: str
    task: str
    protocol: Mapping[str, Any]
    source: Mapping[str, Any]
    rows: Sequence[Row]
    smaller: Sequence[Row]
    others: Sequence[Result]

    @property
    def title(self) -> str:
        """Return the dataset's name, marked if its numbers are not to be believed as they are."""
        said = {SYNTHETIC: self.source["synthetic"], LEAKY: self.protocol.get("leaky")}
        said[PERMUTED] = self.protocol.get("permuted")
        marks = [mark for mark, holds in said.items() if holds]
        return f"{self.dataset} ({', '.join(marks)})" if marks else self.dataset

    @property
    def best(self) -> Row | None:
        """Return the best row that is not the baseline."""
        return next((row for row in self.rows if row.first.head != BASELINE), None)

    def name(self, row: Row) -> str:
        """Return what a row is called in other tables of the report."""
        several = len({each.first.view for each in self.rows}) > 1 and row.first.head != BASELINE
        return f"{row.first.extractor} {row.first.view} {row.first.head}" if several else row.name

    @property
    def main(self) -> str:
        """Return the metric that ranks."""
        return str(self.protocol["metrics"][0])


def tables(store: Store, metrics: Sequence[str] = ()) -> list[Table]:
    """Return the tables of the newest run's plan, in its order.

    Parameters
    ----------
    metrics : Sequence[str]
        Names from `METRICS` to score the stored predictions by besides.

    Raises
    ------
    UsageError
        If the store holds no run.
    """
    run = store.run()
    results = store.planned()
    protocols = {(table["dataset"], table["task"]): table for table in run["tables"]}
    made = []
    for dataset, task in dict.fromkeys((result.dataset, result.task) for result in results):
        own = [result for result in results if (result.dataset, result.task) == (dataset, task)]
        protocol = protocols.get((dataset, task), {})
        done = [_with(store, result, metrics) for result in own if result.status == Status.OK]
        others = [result for result in own if result.status != Status.OK]
        most = max((result.train_size for result in done), default=1.0)
        main = _ranked(store, [result for result in done if result.train_size == most], protocol)
        parts = _ranked(store, [result for result in done if result.train_size < most], protocol)
        made.append(Table(dataset, task, protocol, run["datasets"][dataset], main, parts, others))
    return made


def _with(store: Store, result: Result, metrics: Sequence[str]) -> Result:
    """Return a result with scores by further metrics."""
    if not metrics:
        return result
    predictions = store.predictions(result.key)
    more = intervals.bounded(predictions, score(predictions, metrics))
    return replace(result, scores={**result.scores, **more})


def _ranked(store: Store, results: Sequence[Result], protocol: Mapping[str, Any]) -> list[Row]:
    """Return the rows best first, ties by name; of the baseline's equal rows only one."""
    if not results:
        return []
    main = protocol["metrics"][0]
    metric = METRICS[main]
    merit = -1 if metric.higher_is_better else 1
    seeds: dict[object, list[Result]] = {}
    for result in results:
        seeds.setdefault((result.extractor, result.view, result.head, result.train_size), []).append(result)
    grouped = sorted(
        _distinct(seeds.values()),
        key=lambda own: (merit * _mean(own, main), own[0].extractor, own[0].view, own[0].head),
    )
    samples, n_groups = _samples(store, grouped, main)
    values = np.array([_mean(own, main) for own in grouped])
    standings = intervals.standings(values, samples, n_groups, metric.higher_is_better)
    return [
        Row(
            own,
            {name: _over_seeds(own, name) for name in own[0].scores},
            float(np.std([result.scores[main].value for result in own])),
            standing,
        )
        for own, standing in zip(grouped, standings, strict=True)
    ]


def _distinct(groups: Iterable[list[Result]]) -> list[list[Result]]:
    """Return groups of seeds, of the baseline's only one of those that say the same."""
    baselines: set[object] = set()
    kept = []
    for own in groups:
        said = (own[0].train_size, own[0].n_test, tuple((name, s.value) for name, s in own[0].scores.items()))
        if own[0].head != BASELINE or said not in baselines:
            kept.append(own)
        if own[0].head == BASELINE:
            baselines.add(said)
    return kept


def _mean(results: Sequence[Result], metric: str) -> float:
    return float(np.mean([result.scores[metric].value for result in results]))


def _over_seeds(results: Sequence[Result], metric: str) -> Score:
    """Return the mean of a score and of its bounds and folds over the seeds."""
    scores = [result.scores[metric] for result in results]
    lows = [score.low for score in scores if score.low is not None]
    highs = [score.high for score in scores if score.high is not None]
    folds = np.mean([score.folds for score in scores], axis=0)
    return Score(
        float(np.mean([score.value for score in scores])),
        float(np.mean(lows)) if lows else None,
        float(np.mean(highs)) if highs else None,
        tuple(folds.tolist()),
    )


def _samples(store: Store, rows: Sequence[Sequence[Result]], main: str) -> tuple[Floats, int]:
    """Return the draws of every row for the clips that all of them were tested on, and those clips' groups.

    The same groups are drawn for every row, so that rows can be compared draw by draw.
    """
    predictions = [[store.predictions(result.key).set_index("clip") for result in own] for own in rows]
    common = predictions[0][0].index
    for own in predictions:
        for table in own:
            common = common.intersection(table.index, sort=False)
    group = predictions[0][0].loc[common, "group"].to_numpy(str)
    samples = [np.mean([_drawn(table.loc[common], main) for table in own], axis=0) for own in predictions]
    return np.array(samples), len(np.unique(group))


def _drawn(table: pd.DataFrame, main: str) -> Floats:
    return intervals.draws(METRICS[main], Predicted.of(table), table["group"].to_numpy(str))
