"""Results of one or more runs -> tables: grouped by protocol, averaged over seeds, ranked."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from bench import stats
from bench.errors import UsageError, shortlist
from bench.keys import changes, digest
from bench.learn.scoring import score
from bench.metrics import METRICS, Metric
from bench.report import repetition
from bench.report.choice import corrected
from bench.report.ranking import Aligned
from bench.report.rows import Row, Table, layer_position
from bench.stats import Chance
from bench.store import DatasetRecord, RunRecord, Store, TableProtocol
from bench.types import BASELINE, UNPOOLED, Result, Score, Status, System, TaskId, View

Seeds = tuple[Result, ...]
"""Results of one system, one per seed and repeat."""

NAMELESS = System(extractor="", view=View(), head=BASELINE)
"""The baseline, which is one system whatever the extractor."""


def tables(stores: Sequence[Store], metrics: Sequence[str] = ()) -> list[Table]:
    """Return the tables of the newest runs, in the order of their plans, with rows of earlier runs beside.

    Results of several runs share a table if they have the same protocol: split, clips, metrics, augmentation.

    Parameters
    ----------
    metrics : Sequence[str]
        Further metrics of the stored predictions.

    Raises
    ------
    UsageError
        If a store holds no run, or two runs use one name for different extractors or heads.
    """
    _refuse_ambiguous_names(stores)
    pools: dict[tuple[str, str, str], _Pool] = {}
    for store in stores:
        run = store.run()
        protocols = {(table.dataset, table.task.name): _rankable(store, table) for table in run.tables}
        earlier = {result.key: result for result in store.earlier()}
        for result in (*store.planned(), *earlier.values()):
            if result.dataset not in run.datasets:
                raise UsageError(
                    f"{store.run_path}: lacks data set '{result.dataset}'; run the same command again"
                )
            protocol = protocols.get((result.dataset, result.task.name))
            identity = (result.dataset, result.task.name, _protocol_digest(protocol))
            pool = pools.setdefault(identity, _Pool.of(result, protocol, run))
            pool.results.setdefault(result.key, result)
            pool.stores.setdefault(result.key, store)
            pool.earlier.update({result.key} & earlier.keys())
    n_variants = Counter((pool.dataset, pool.task.name) for pool in pools.values())
    return [
        _table(pool, metrics, variant[:6] if n_variants[dataset, task] > 1 else "")
        for (dataset, task, variant), pool in pools.items()
    ]


@dataclass(frozen=True, slots=True)
class _Pool:
    """Results of one protocol: by key the results, their stores and for a while their predictions.

    `earlier` holds the keys of results of earlier runs.
    """

    dataset: str
    task: TaskId
    protocol: TableProtocol | None
    source: DatasetRecord
    results: dict[str, Result] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    earlier: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, result: Result, protocol: TableProtocol | None, run: RunRecord) -> "_Pool":
        """Return an empty pool for results such as this one."""
        return cls(result.dataset, result.task, protocol, run.datasets[result.dataset])

    def read(self) -> None:
        """Read the scored predictions of all computed cells; a cell whose cannot be read has failed."""
        for key, result in self.results.items():
            if result.status == Status.OK:
                try:
                    self.tables[key] = self.stores[key].scored_predictions(result)
                except UsageError as error:
                    self.results[key] = replace(result, status=Status.FAILED, reason=str(error))

    def drop_replaced(self) -> None:
        """Drop results of earlier runs whose system and seed the newest run computed in another way."""
        cells = {key: (result.system, result.seed, result.repeat) for key, result in self.results.items()}
        newest = {cell for key, cell in cells.items() if key not in self.earlier}
        for key in self.earlier & cells.keys():
            if cells[key] in newest:
                del self.results[key]


def _protocol_digest(protocol: TableProtocol | None) -> str:
    """Return a digest of the parts of a protocol that results in one table share."""
    return digest(protocol and protocol.comparable)


def _rankable(store: Store, protocol: TableProtocol) -> TableProtocol:
    """Return a protocol that ranks by its first metric that is still installed.

    Raises
    ------
    UsageError
        If none is installed.
    """
    installed = [name for name in protocol.metrics if name in METRICS]
    if not installed:
        names = ", ".join(protocol.metrics)
        raise UsageError(f"{store.out}: metrics {names} are not installed; install their distribution")
    return replace(protocol, metrics=tuple(sorted(protocol.metrics, key=lambda name: name != installed[0])))


def _refuse_ambiguous_names(stores: Sequence[Store]) -> None:
    """Raise UsageError if two runs use one name for different extractors or heads."""
    identities: dict[str, tuple[Store, Any]] = {}
    for store in stores:
        run = store.run()
        for name, identity in {**run.earlier_identities, **run.identities}.items():
            if not identity:  # not installed there, so that no result is affected
                continue
            first, expected = identities.setdefault(name, (store, identity))
            if identity != expected:
                fields = changes(identity, expected)
                raise UsageError(
                    f"{first.out} and {store.out}: '{name}' is not the same in both ({shortlist(fields)}); "
                    "report them apart, or run one of them again"
                )


def _table(pool: _Pool, metrics: Sequence[str], variant: str) -> Table:
    """Return the table of a pool: the largest training share apart from the smaller ones."""
    pool.read()
    pool.drop_replaced()
    _refuse_two_choices(pool)
    computed = [
        _with_metrics(pool, result, metrics) for result in pool.results.values() if result.status == Status.OK
    ]
    largest = max((result.train_size for result in computed), default=1.0)
    full = [result for result in computed if result.train_size == largest]
    rows = _ordered(pool, [result for result in full if not result.chosen])
    aligned = Aligned.of(
        [[pool.tables[result.key] for result in row.results] for row in rows if not row.is_baseline]
    )
    metric = METRICS[pool.protocol.metrics[0]] if pool.protocol else None
    table = Table(
        dataset=pool.dataset,
        task=pool.task,
        protocol=pool.protocol,
        source=pool.source,
        rows=_compared(rows, aligned, metric) if aligned and metric else rows,
        smaller=_ordered(pool, [r for r in computed if r.train_size < largest and not r.chosen]),
        others=tuple(result for result in pool.results.values() if result.status != Status.OK),
        stores=pool.stores,
        variant=variant,
        earlier=frozenset(pool.earlier),
        chance=_chance(pool, rows),
        selected=_ordered(pool, [result for result in full if result.chosen]),
        best_corrected=corrected(aligned, metric) if aligned and metric else None,
    )
    pool.tables.clear()
    return table


def _refuse_two_choices(pool: _Pool) -> None:
    """Raise UsageError if two runs hold a row that is chosen in inner folds, each among its own rows."""
    first: dict[object, str] = {}
    for key, result in pool.results.items():
        if result.chosen:
            other = first.setdefault((result.system, result.seed, result.repeat), key)
            if other != key:
                folders = f"{pool.stores[other].out} and {pool.stores[key].out}"
                raise UsageError(
                    f"{folders}: '{result.head}' of {pool.task.name} on {pool.dataset} is chosen among other "
                    "rows in each; report them apart"
                )


def _with_metrics(pool: _Pool, result: Result, metrics: Sequence[str]) -> Result:
    """Return a result with scores by further metrics, as far as its predictions have what they need."""
    missing = [metric for metric in metrics if result.score(metric) is None]
    if not missing:
        return result
    further = score(pool.tables[result.key], missing)
    return replace(result, scores=(*result.scores, *further))


def _ordered(pool: _Pool, results: Sequence[Result]) -> tuple[Row, ...]:
    """Return the rows, the best first, ties by system, then the baselines, of which equal ones count once."""
    if not results or pool.protocol is None:
        return ()
    metric = METRICS[pool.protocol.metrics[0]]
    groups: dict[System, list[Result]] = {}
    for result in results:
        groups.setdefault(result.system, []).append(result)
    sign = -1 if metric.higher_is_better else 1
    ordered = sorted(
        _without_equal_baselines(tuple(group) for group in groups.values()),
        key=lambda seeds: (_is_baseline(seeds), sign * _mean(seeds, metric.name), _order(seeds[0].system)),
    )
    return tuple(_row(seeds, metric) for seeds in ordered)


def _compared(rows: Sequence[Row], aligned: Aligned, metric: Metric) -> tuple[Row, ...]:
    """Return rows with their standings and p-values; the baselines, which come last, have none."""
    tests = zip(aligned.standings(metric), aligned.p_chance(metric), strict=True)
    pairs = zip(rows, tests, strict=False)
    compared = (replace(row, standing=standing, p_chance=p) for row, (standing, p) in pairs)
    return (*compared, *rows[len(aligned.rows) :])


def _row(seeds: Seeds, metric: Metric) -> Row:
    """Return the row of a system, before it is compared with others."""
    return Row(
        system=_identity(seeds[0].system),
        results=seeds,
        scores=tuple(_over_seeds(seeds, score) for score in seeds[0].scores),
        spread=repetition.spread(seeds, metric.name),
        expected=repetition.expected(seeds, metric.name, _mean(seeds, metric.name)),
    )


def _chance(pool: _Pool, rows: Sequence[Row]) -> Chance | None:
    """Return the scores without the audio on the clips of the first row; None without rows."""
    if not rows or pool.protocol is None:
        return None
    y_true = pool.tables[rows[0].first.key]["y_true"].to_numpy(str)
    return stats.levels(METRICS[pool.protocol.metrics[0]], y_true)


def _is_baseline(seeds: Seeds) -> bool:
    return seeds[0].head == BASELINE


def _identity(system: System) -> System:
    return replace(NAMELESS, train_size=system.train_size) if system.head == BASELINE else system


def _order(system: System) -> tuple[object, ...]:
    """Return a sort key: layers as in `layer_position`; frames before pools."""
    position, pool = layer_position(system.view.layer), system.view.pool
    return system.extractor, position, pool != UNPOOLED, pool, system.head, system.is_tuned


def _without_equal_baselines(groups: Iterable[Seeds]) -> list[Seeds]:
    """Return the groups without baselines that repeat the scores of an earlier one."""
    baselines: set[object] = set()
    distinct = []
    for seeds in groups:
        first = seeds[0]
        if first.head == BASELINE:
            scores = tuple((score.metric, score.level, score.value) for score in first.scores)
            outcome = (first.train_size, first.n_test, scores)
            if outcome in baselines:
                continue
            baselines.add(outcome)
        distinct.append(seeds)
    return distinct


def _values(seeds: Seeds, metric: str) -> list[float]:
    """Return the value of a metric for every seed."""
    return [value.value for result in seeds if (value := result.score(metric)) is not None]


def _mean(seeds: Seeds, metric: str) -> float:
    return float(np.mean(_values(seeds, metric)))


def _over_seeds(seeds: Seeds, first: Score) -> Score:
    """Return the means over the seeds of a score's value, bounds and folds; bounds if all seeds have them."""
    scores = [value for result in seeds if (value := result.score(first.metric, first.level)) is not None]
    lows = [score.low for score in scores if score.low is not None]
    highs = [score.high for score in scores if score.high is not None]
    is_bounded = len(lows) == len(scores)
    return replace(
        first,
        value=float(np.mean([score.value for score in scores])),
        low=float(np.mean(lows)) if is_bounded else None,
        high=float(np.mean(highs)) if is_bounded else None,
        folds=tuple(repetition.folds(seeds, *first.column)),
        unbounded=next((score.unbounded for score in scores if score.unbounded), ""),
    )
