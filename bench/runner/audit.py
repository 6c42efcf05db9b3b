"""Verify a folder: its lines, scores, splits, data, extractors and heads."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bench import catalog, display, splits
from bench.errors import BenchError
from bench.keys import changes
from bench.keys.fingerprints import fingerprint
from bench.learn.scoring import scores
from bench.metrics import METRICS
from bench.runner.planning import GROUP_PREFIX, Plan, fold_table, plan
from bench.runner.provenance import VERSIONED, versions
from bench.store import RunRecord, Store, TableProtocol
from bench.types import Labels, Result, Score, Split, Status

TOLERANCE = 1e-12
"""Largest difference of a score that is computed again on the same machine."""

MAX_CLIPS = 5
"""Number of clips that a difference names."""

Protocols = Mapping[tuple[str, str], TableProtocol]
"""By the names of dataset and task."""


def audit(store: Store, home: Path) -> list[str]:
    """Return the differences, one line each; empty if everything is verified.

    Compare the lines of results.jsonl with their seals, scores with predictions, predictions with the split,
    the split with its groups, and data, splits, extractors and heads with those present now.

    Raises
    ------
    UsageError
        If the folder holds no run, or a line of results.jsonl is damaged.
    """
    record, results = store.run(), store.results(sealed=False)
    lines = [f"{store.results_path}:{number}: seal does not match" for number in store.broken_seals()]
    protocols = {(table.dataset, table.task.name): table for table in record.tables}
    folds = {}
    for table, protocol in protocols.items():
        split = store.split(*table)
        lines += [f"{display.table(*table)}: {line}" for line in _check_split(split, protocol)]
        folds[table] = split.set_index("clip")
    labels = functools.cache(lambda dataset: store.labels(dataset).set_index("clip"))
    for key in record.cells:
        result = results.get(key)
        if result is None:
            lines.append(f"{store.results_path}: cell {key} of run.json is missing")
        elif result.status == Status.OK:
            table = result.dataset, result.task.name
            differences = _check_cell(store, result, folds[table], labels, protocols[table])
            lines += [f"{display.cell(result)}: {line}" for line in differences]
    return lines + list(_check_world(store, record, protocols, home))


def _check_split(table: pd.DataFrame, protocol: TableProtocol) -> Iterator[str]:
    """Yield the faults of a stored split."""
    if fingerprint(table) != protocol.split_digest:
        yield "the stored split differs from the one in run.json"
    split = Split(
        protocol.split.protocol, table["fold"].to_numpy(str), _groups(table), leaky=protocol.split.leaky
    )
    try:
        splits.check(split, table["y"].to_numpy(str))
    except BenchError as error:
        yield str(error)


def _groups(table: pd.DataFrame) -> dict[str, Labels]:
    columns = [str(name) for name in table.columns if str(name).startswith(GROUP_PREFIX)]
    return {name.removeprefix(GROUP_PREFIX): table[name].to_numpy(str) for name in columns}


def _check_cell(
    store: Store,
    result: Result,
    folds: pd.DataFrame,
    labels: Callable[[str], pd.DataFrame],
    protocol: TableProtocol,
) -> Iterator[str]:
    """Yield the faults of a cell's predictions and scores; both tables have the clips as index."""
    if not store.predictions_path(result.key).is_file():
        yield "predictions are missing"
        return
    predictions = store.predictions(result.key)
    if fingerprint(predictions) != result.predictions:
        yield "predictions differ from the scored ones"
    expected = folds.reindex(predictions["clip"])
    group = f"{GROUP_PREFIX}{protocol.split.group}"
    for of_split, of_predictions in (("fold", "fold"), ("y", "y_true"), (group, "group")):
        if (expected[of_split].to_numpy(str) != predictions[of_predictions].to_numpy(str)).any():
            yield f"{of_predictions} of the predictions differs from the split"
    uninstalled = [name for name in protocol.metrics if name not in METRICS]
    if uninstalled:
        yield f"metrics {', '.join(uninstalled)} are not installed; install their distribution"
        return
    parents = labels(result.dataset).reindex(predictions["clip"])
    parent = parents["parent"].to_numpy(str) if "parent" in parents else None
    yield from _check_scores(result.scores, scores(predictions, protocol.metrics, parent))


def _check_scores(stored: Sequence[Score], computed: Sequence[Score]) -> Iterator[str]:
    """Yield the stored scores that their predictions do not give."""
    before, now = ({score.column: score for score in side} for side in (stored, computed))
    for name in dict.fromkeys([*before, *now]):
        a, b = before.get(name), now.get(name)
        if a is None or b is None or not _equal(a, b):
            yield f"{' at '.join(name)} is {display.score(a)}; predictions give {display.score(b)}"


def _equal(a: Score, b: Score) -> bool:
    pairs = zip((a.value, a.low, a.high, *a.folds), (b.value, b.low, b.high, *b.folds), strict=False)
    return len(a.folds) == len(b.folds) and all(
        x == y or (x is not None and y is not None and math.isclose(x, y, rel_tol=0, abs_tol=TOLERANCE))
        for x, y in pairs
    )


def _check_world(store: Store, record: RunRecord, protocols: Protocols, home: Path) -> Iterator[str]:
    """Yield what changed since the run: data, splits, extractors, heads, versions."""
    try:
        with contextlib.chdir(record.folder):
            now = plan(replace(record.request, home=home, reread=True), catalog.load())
    except (BenchError, OSError) as error:
        yield f"the run cannot be planned again: {error}"
        return
    yield from _changed_splits(store, protocols, now)
    for name, version in versions(VERSIONED).items():
        if record.env.get(name) != version:
            yield f"{name} {record.env.get(name)} -> {version}"
    for name, identity in now.identities.items():
        before = record.identities.get(name)
        if before and before != identity:
            yield f"{name}: changed {', '.join(changes(before, identity))}"


def _changed_splits(store: Store, protocols: Protocols, now: Plan) -> Iterator[str]:
    """Yield how the splits of a plan differ from the stored ones."""
    for table, problem in now.problems.items():
        name = display.table(*table)
        if table not in protocols:
            yield f"{name}: has a split now"
        elif problem.fingerprint != protocols[table].split_digest:
            folds = fold_table(now.sources[table[0]], problem.y, problem.split)
            yield from (f"{name}: {line}" for line in _changed_clips(store.split(*table), folds))
    for table in protocols.keys() - now.problems.keys():
        yield f"{display.table(*table)}: has no split now"


def _changed_clips(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[str]:
    """Yield how the clips of a split differ."""
    before, now = before.set_index("clip"), now.set_index("clip")
    for title, clips in (
        ("removed", before.index.difference(now.index)),
        ("added", now.index.difference(before.index)),
    ):
        if len(clips):
            yield f"{len(clips)} clips {title}: {_listing(clips)}"
    common = before.index.intersection(now.index)
    for column in before.columns.union(now.columns, sort=False):
        if column not in before or column not in now:
            yield f"column {column} is on one side only"
            continue
        clips = common[(before.loc[common, column] != now.loc[common, column]).to_numpy()]
        if len(clips):
            yield f"{column} of {len(clips)} clips changed: {_listing(clips)}"


def _listing(clips: "pd.Index[str]") -> str:
    more = f" and {len(clips) - MAX_CLIPS} more" if len(clips) > MAX_CLIPS else ""
    return f"{', '.join(map(str, clips[:MAX_CLIPS]))}{more}"
