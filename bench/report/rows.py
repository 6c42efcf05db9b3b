"""What runs have found as tables: one per dataset and task, the best row first, with how sure that is."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from bench import stats
from bench.errors import UsageError, shortlist
from bench.keys import digest
from bench.learn.folds import score
from bench.metrics import METRICS, Floats, Predicted
from bench.stats import Standing
from bench.store import Store
from bench.types import BASELINE, Result, Score, Status

SYNTHETIC = "synthetic"
LEAKY = "leaky split"
PERMUTED = "labels permuted"

APART = ("split", "split_digest", "metrics", "permuted", "augment")
"""What of two runs' protocols has to be equal for their results to stand in one table."""

UNSAFE = re.compile(r"[^\w.-]")
"""What no part of a file's name is made of."""


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
    def extractor(self) -> str:
        """Return the extractor's name; any will do for the baseline."""
        return "any" if self.first.head == BASELINE else self.first.extractor

    @property
    def view(self) -> str:
        """Return the view in words; the baseline has none."""
        return "" if self.first.head == BASELINE else self.first.view

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
    stores : Mapping[str, Store]
        By the results' keys.
    mark : str
        What tells it from other tables of the same task and dataset; empty if there are none.
    """

    dataset: str
    task: str
    protocol: Mapping[str, Any]
    source: Mapping[str, Any]
    rows: Sequence[Row]
    smaller: Sequence[Row]
    others: Sequence[Result]
    stores: Mapping[str, Store]
    mark: str = ""

    @property
    def stem(self) -> str:
        """Return what the names of its files begin with."""
        mark = "_".join(filter(None, UNSAFE.split(self.mark)))
        return "-".join(filter(None, [self.dataset, self.task.replace("/", "."), mark]))

    @property
    def title(self) -> str:
        """Return the dataset's name, marked if its numbers are not to be believed as they are."""
        said = {self.mark: self.mark, SYNTHETIC: self.source["synthetic"], LEAKY: self.protocol.get("leaky")}
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

    def predictions(self, result: Result) -> pd.DataFrame:
        """Return what a result's cell predicted."""
        return self.stores[result.key].predictions(result.key)

    def labels(self) -> pd.DataFrame:
        """Return `clip` and the label columns of its dataset."""
        return next(iter(self.stores.values())).labels(self.dataset)

    @property
    def main(self) -> str:
        """Return the metric that ranks."""
        return str(self.protocol["metrics"][0])

    @property
    def metrics(self) -> list[str]:
        """Return the names of the rows' other scores."""
        return list(dict.fromkeys(name for row in self.rows for name in row.scores if name != self.main))


def tables(stores: Sequence[Store], metrics: Sequence[str] = ()) -> list[Table]:
    """Return the tables of the stores' newest runs, in the order of their plans.

    Results of several runs stand in one table if they were tested on the same clips with the same split, and
    else apart.

    Parameters
    ----------
    metrics : Sequence[str]
        Names from `METRICS` to score the stored predictions by besides.

    Raises
    ------
    UsageError
        If a store holds no run, or two runs mean different things by one name.
    """
    _refuse_other_meanings(stores)
    found: dict[tuple[str, str, str], _Found] = {}
    for store in stores:
        run = store.run()
        protocols = {(table["dataset"], table["task"]): _rankable(store, table) for table in run["tables"]}
        for result in store.planned():
            protocol = protocols.get((result.dataset, result.task), {})
            apart = digest([protocol.get(name) for name in APART])
            place = (result.dataset, result.task, apart)
            own = found.setdefault(place, _Found(protocol, run["datasets"][result.dataset]))
            own.results.setdefault(result.key, result)
            own.stores.setdefault(result.key, store)
    named = Counter((dataset, task) for dataset, task, _ in found)
    made = []
    for (dataset, task, apart), own in found.items():
        mark = f"{own.protocol.get('split', 'no split')} {apart[:6]}" if named[dataset, task] > 1 else ""
        done = [_with(own, each, metrics) for each in own.results.values() if each.status == Status.OK]
        others = [each for each in own.results.values() if each.status != Status.OK]
        most = max((result.train_size for result in done), default=1.0)
        main = _ranked(own, [result for result in done if result.train_size == most])
        parts = _ranked(own, [result for result in done if result.train_size < most])
        made.append(Table(dataset, task, own.protocol, own.source, main, parts, others, own.stores, mark))
    return made


def _rankable(store: Store, protocol: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a protocol that ranks by the first of its metrics that is still installed.

    Raises
    ------
    UsageError
        If none is.
    """
    metrics = protocol["metrics"]
    known = [name for name in metrics if name in METRICS]
    if not known:
        raise UsageError(f"{store.out}: is scored by {', '.join(metrics)}; install what brought that")
    return {**protocol, "metrics": sorted(metrics, key=lambda name: name != known[0])}


@dataclass(frozen=True, slots=True)
class _Found:
    """What becomes a table; results and their stores by key."""

    protocol: Mapping[str, Any]
    source: Mapping[str, Any]
    results: dict[str, Result] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)

    def predictions(self, result: Result) -> pd.DataFrame:
        return self.stores[result.key].predictions(result.key)


def _refuse_other_meanings(stores: Sequence[Store]) -> None:
    """Raise UsageError if two runs call different extractors or heads by one name."""
    known: dict[str, tuple[Store, Any]] = {}
    for store in stores:
        for name, identity in store.run()["identities"].items():
            if not identity:  # it could not run, so that nothing here is of it
                continue
            first, same = known.setdefault(name, (store, identity))
            if identity != same:
                differs = shortlist([key for key in {*identity, *same} if identity.get(key) != same.get(key)])
                raise UsageError(
                    f"{first.out} and {store.out}: '{name}' is not the same in both ({differs}); report them "
                    "apart, or run one of them again"
                )


def _with(found: _Found, result: Result, metrics: Sequence[str]) -> Result:
    """Return a result with scores by further metrics."""
    if not metrics:
        return result
    predictions = found.predictions(result)
    more = stats.bounded(predictions, score(predictions, metrics))
    return replace(result, scores={**result.scores, **more})


def _ranked(found: _Found, results: Sequence[Result]) -> list[Row]:
    """Return the rows best first, ties by name; of the baseline's equal rows only one."""
    if not results:
        return []
    main = found.protocol["metrics"][0]
    metric = METRICS[main]
    merit = -1 if metric.higher_is_better else 1
    seeds: dict[object, list[Result]] = {}
    for result in results:
        seeds.setdefault((result.extractor, result.view, result.head, result.train_size), []).append(result)
    grouped = sorted(
        _distinct(seeds.values()),
        key=lambda own: (merit * _mean(own, main), own[0].extractor, own[0].view, own[0].head),
    )
    samples, n_groups = _samples(found, grouped, main)
    values = np.array([_mean(own, main) for own in grouped])
    standings = stats.standings(values, samples, n_groups, metric.higher_is_better)
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


def _samples(found: _Found, rows: Sequence[Sequence[Result]], main: str) -> tuple[Floats, int]:
    """Return the draws of every row for the clips that all of them were tested on, and those clips' groups.

    The same groups are drawn for every row, so that rows can be compared draw by draw.
    """
    predictions = [[found.predictions(result).set_index("clip") for result in own] for own in rows]
    common = predictions[0][0].index
    for own in predictions:
        for table in own:
            common = common.intersection(table.index, sort=False)
    group = predictions[0][0].loc[common, "group"].to_numpy(str)
    samples = [np.mean([_drawn(table.loc[common], main) for table in own], axis=0) for own in predictions]
    return np.array(samples), len(np.unique(group))


def _drawn(table: pd.DataFrame, main: str) -> Floats:
    return stats.draws(METRICS[main], Predicted.of(table), table["group"].to_numpy(str))
