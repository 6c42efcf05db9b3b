"""Results as tables: one per dataset and task, the best row first, with the uncertainty of its rank."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd

from bench import display, stats
from bench.errors import UsageError, shortlist
from bench.keys import digest
from bench.learn.scoring import score
from bench.metrics import METRICS, Floats, Predicted
from bench.stats import Standing
from bench.store import DatasetRecord, Store, TableProtocol
from bench.types import BASELINE, Level, Result, Score, Status, Step, View

UNSAFE = re.compile(r"[^\w.-]")
"""Characters that no file name holds."""


@dataclass(frozen=True, slots=True)
class System:
    """What a row compares; the baseline is the same for every extractor and view."""

    extractor: str
    view: View | None
    head: str
    preprocess: tuple[Step, ...] = ()

    @classmethod
    def of(cls, result: Result) -> System:
        """Return the system of a result."""
        if result.head == BASELINE:
            return cls("", None, BASELINE)
        return cls(result.extractor, result.view, result.head, result.preprocess)


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One system over all seeds.

    Parameters
    ----------
    results : Sequence[Result]
        One per seed.
    scores : Sequence[Score]
        Means over the seeds; their intervals cover the data alone.
    spread : float
        Standard deviation of the ranking metric over the seeds; 0 for one seed.
    standing : Standing
        Range of its rank.
    """

    results: Sequence[Result]
    scores: Sequence[Score]
    spread: float
    standing: Standing

    @property
    def first(self) -> Result:
        """Return the result of the first seed."""
        return self.results[0]

    @property
    def system(self) -> System:
        """Return what the row compares."""
        return System.of(self.first)

    @property
    def is_baseline(self) -> bool:
        """Return whether the row is the majority class."""
        return self.first.head == BASELINE

    def score(self, metric: str, level: Level = "clip") -> Score | None:
        """Return the score of a metric at a level; None without one."""
        scores = (value for value in self.scores if (value.metric, value.level) == (metric, level))
        return next(scores, None)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The results of one task on one dataset.

    Parameters
    ----------
    protocol : TableProtocol | None
        How the task was tested; None if its split was impossible.
    source : DatasetRecord
        The dataset.
    rows : Sequence[Row]
        Rows that learnt from most training clips, the best first.
    smaller : Sequence[Row]
        Rows that learnt from fewer.
    others : Sequence[Result]
        Failed and skipped results.
    stores : Mapping[str, Store]
        Key of a result -> its store.
    digest : str
        Digest of what keeps it apart from other tables of the same task and dataset; empty for a single one.
    """

    dataset: str
    task: str
    protocol: TableProtocol | None
    source: DatasetRecord
    rows: Sequence[Row]
    smaller: Sequence[Row]
    others: Sequence[Result]
    stores: Mapping[str, Store]
    digest: str = ""

    @property
    def mark(self) -> str:
        """Return what tells it from other tables of its task and dataset; empty for a single one."""
        split = display.split(self.protocol.split) if self.protocol else "no split"
        return f"{split} {self.digest}" if self.digest else ""

    @property
    def stem(self) -> str:
        """Return the beginning of the names of its files."""
        mark = "_".join(filter(None, UNSAFE.split(self.mark)))
        return "-".join(filter(None, [self.dataset, self.task.replace("/", "."), mark]))

    @property
    def title(self) -> str:
        """Return the dataset's name, with marks on numbers that say less than they seem to."""
        split = self.protocol.split if self.protocol else None
        marks = [
            self.mark,
            "synthetic" if self.source.synthetic else "",
            "leaky split" if split and split.leaky else "",
            "labels permuted" if split and split.permuted else "",
        ]
        text = ", ".join(filter(None, marks))
        return f"{self.dataset} ({text})" if text else self.dataset

    @property
    def best(self) -> Row | None:
        """Return the best row that is not the baseline."""
        return next((row for row in self.rows if not row.is_baseline), None)

    def name(self, row: Row) -> str:
        """Return the name of a row, with its view where the table has several."""
        if row.is_baseline:
            return BASELINE
        several = len({other.first.view for other in self.rows}) > 1
        view = display.view(row.first.view) if several else ""
        return " ".join(filter(None, [row.first.extractor, view, row.first.head]))

    def predictions(self, result: Result) -> pd.DataFrame:
        """Return the predictions of a result."""
        return self.stores[result.key].predictions(result.key)

    def labels(self) -> pd.DataFrame:
        """Return `clip` and the label columns of the dataset."""
        return next(iter(self.stores.values())).labels(self.dataset)

    @property
    def main(self) -> str:
        """Return the metric that ranks."""
        if self.protocol is None:
            raise ValueError(f"{self.task} on {self.dataset} has no rows")
        return self.protocol.metrics[0]

    def ranking(self, row: Row) -> Score:
        """Return the score that ranks a row."""
        value = row.score(self.main)
        if value is None:
            raise ValueError(f"{self.name(row)} has no {self.main}")
        return value

    @property
    def metrics(self) -> list[tuple[str, Level]]:
        """Return metric and level of the rows' scores, without the one that ranks."""
        names = [(value.metric, value.level) for row in self.rows for value in row.scores]
        return [name for name in dict.fromkeys(names) if name != (self.main, "clip")]


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
    _check_identities(stores)
    groups: dict[tuple[str, str, str], _Group] = {}
    for store in stores:
        record = store.run()
        protocols = {(table.dataset, table.task.name): _rankable(store, table) for table in record.tables}
        for result in store.planned():
            protocol = protocols.get((result.dataset, result.task.name))
            key = (result.dataset, result.task.name, _comparable(protocol))
            group = groups.setdefault(key, _Group(protocol, record.datasets[result.dataset]))
            group.results.setdefault(result.key, result)
            group.stores.setdefault(result.key, store)
    n_tables = Counter((dataset, task) for dataset, task, _ in groups)
    return [
        _table(group, dataset, task, apart[:6] if n_tables[dataset, task] > 1 else "", metrics)
        for (dataset, task, apart), group in groups.items()
    ]


def _table(group: _Group, dataset: str, task: str, apart: str, metrics: Sequence[str]) -> Table:
    """Return the table of the results of one group."""
    done = [_with_metrics(group, r, metrics) for r in group.results.values() if r.status == Status.OK]
    largest = max((result.train_size for result in done), default=1.0)
    return Table(
        dataset=dataset,
        task=task,
        protocol=group.protocol,
        source=group.source,
        rows=_ranked(group, [result for result in done if result.train_size == largest]),
        smaller=_ranked(group, [result for result in done if result.train_size < largest]),
        others=[result for result in group.results.values() if result.status != Status.OK],
        stores=group.stores,
        digest=apart,
    )


def _comparable(protocol: TableProtocol | None) -> str:
    """Return the digest of what two results must share to stand in one table."""
    if protocol is None:
        return digest(None)
    augmentation = asdict(protocol.augmentation) if protocol.augmentation else None
    return digest([asdict(protocol.split), protocol.split_digest, protocol.metrics, augmentation])


def _rankable(store: Store, protocol: TableProtocol) -> TableProtocol:
    """Return a protocol that ranks by the first of its metrics that is installed.

    Raises
    ------
    UsageError
        If none is.
    """
    installed = [name for name in protocol.metrics if name in METRICS]
    if not installed:
        metrics = ", ".join(protocol.metrics)
        raise UsageError(f"{store.out}: metrics {metrics} are not installed; install their distribution")
    return replace(protocol, metrics=tuple(sorted(protocol.metrics, key=lambda name: name != installed[0])))


@dataclass(frozen=True, slots=True)
class _Group:
    """The results of one table and their stores, by key."""

    protocol: TableProtocol | None
    source: DatasetRecord
    results: dict[str, Result] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)

    def predictions(self, result: Result) -> pd.DataFrame:
        return self.stores[result.key].predictions(result.key)


def _check_identities(stores: Sequence[Store]) -> None:
    """Raise UsageError if two runs give one name to different extractors or heads."""
    identities: dict[str, tuple[Store, Mapping[str, object]]] = {}
    for store in stores:
        for name, identity in store.run().identities.items():
            if not identity:  # it could not run, so that no result depends on it
                continue
            first, other = identities.setdefault(name, (store, identity))
            if identity != other:
                keys = {*identity, *other}
                differences = shortlist([key for key in keys if identity.get(key) != other.get(key)])
                raise UsageError(
                    f"{first.out} and {store.out}: '{name}' differs ({differences}); report them one by one, "
                    "or run one of them again"
                )


def _with_metrics(group: _Group, result: Result, metrics: Sequence[str]) -> Result:
    """Return a result with scores by further metrics."""
    if not metrics:
        return result
    predictions = group.predictions(result)
    more = stats.bounded(predictions, score(predictions, metrics))
    names = {(value.metric, value.level) for value in more}
    others = [value for value in result.scores if (value.metric, value.level) not in names]
    return replace(result, scores=(*others, *more))


def _ranked(group: _Group, results: Sequence[Result]) -> list[Row]:
    """Return the rows, the best first, equal ones by name; equal rows of the baseline are one."""
    if not results or group.protocol is None:
        return []
    main = group.protocol.metrics[0]
    metric = METRICS[main]
    sign = -1 if metric.higher_is_better else 1
    seeds: dict[object, list[Result]] = {}
    for result in results:
        key = (result.extractor, result.view, result.head, result.preprocess, result.train_size)
        seeds.setdefault(key, []).append(result)
    rows = sorted(_distinct(seeds.values()), key=lambda row: (sign * _mean(row, main), *_order(row[0])))
    samples, n_groups = _samples(group, rows, main)
    values = np.array([_mean(row, main) for row in rows])
    standings = stats.standings(values, samples, n_groups, metric.higher_is_better)
    return [
        Row(
            results=row,
            scores=[_over_seeds(row, value.metric, value.level) for value in row[0].scores],
            spread=float(np.std([_value(result, main).value for result in row])),
            standing=standing,
        )
        for row, standing in zip(rows, standings, strict=True)
    ]


def _order(result: Result) -> tuple[object, ...]:
    """Return what orders rows of equal scores: names, and layers by their number."""
    layer = result.view.layer
    number = layer if isinstance(layer, int) else -1
    return (result.extractor, str(layer) if number < 0 else "", number, result.view.pool, result.head)


def _distinct(rows: Iterable[list[Result]]) -> list[list[Result]]:
    """Return rows of seeds, of equal ones of the baseline only the first."""
    baselines: set[object] = set()
    distinct = []
    for row in rows:
        first = row[0]
        values = tuple((value.metric, value.level, value.value) for value in first.scores)
        scores = (first.train_size, first.n_test, values)
        if first.head != BASELINE or scores not in baselines:
            distinct.append(row)
        if first.head == BASELINE:
            baselines.add(scores)
    return distinct


def _value(result: Result, metric: str, level: Level = "clip") -> Score:
    value = result.score(metric, level)
    if value is None:
        raise UsageError(f"result {result.key} of {result.head} has no {metric}; run the same command again")
    return value


def _mean(results: Sequence[Result], metric: str) -> float:
    return float(np.mean([_value(result, metric).value for result in results]))


def _over_seeds(results: Sequence[Result], metric: str, level: Level) -> Score:
    """Return the mean of a score, of its bounds and of its folds over the seeds."""
    scores = [_value(result, metric, level) for result in results]
    lows = [value.low for value in scores if value.low is not None]
    highs = [value.high for value in scores if value.high is not None]
    folds = np.mean([value.folds for value in scores], axis=0)
    return Score(
        metric=metric,
        value=float(np.mean([value.value for value in scores])),
        level=level,
        low=float(np.mean(lows)) if lows else None,
        high=float(np.mean(highs)) if highs else None,
        folds=tuple(folds.tolist()),
    )


def _samples(group: _Group, rows: Sequence[Sequence[Result]], main: str) -> tuple[Floats, int]:
    """Return the draws of every row for the clips that all rows tested, and the number of their groups.

    The same groups are drawn for every row, so that rows can be compared draw by draw.
    """
    predictions = [[group.predictions(result).set_index("clip") for result in row] for row in rows]
    common = predictions[0][0].index
    for row in predictions:
        for table in row:
            common = common.intersection(table.index, sort=False)
    groups = predictions[0][0].loc[common, "group"].to_numpy(str)
    samples = [np.mean([_draws(table.loc[common], main) for table in row], axis=0) for row in predictions]
    return np.array(samples), len(np.unique(groups))


def _draws(table: pd.DataFrame, main: str) -> Floats:
    return stats.draws(METRICS[main], Predicted.of(table), table["group"].to_numpy(str))
