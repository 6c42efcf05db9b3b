"""Whether what a folder says is what its predictions, splits and data say."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench import splits
from bench.catalog import load
from bench.errors import BenchError
from bench.keys.fingerprints import fingerprint
from bench.learn.scoring import scores
from bench.metrics import METRICS
from bench.request import Request
from bench.runner.planning import GROUP_PREFIX, Plan, fold_table, plan
from bench.runner.provenance import VERSIONED, versions
from bench.store import Store
from bench.types import Result, Score, Split, Status

TOLERANCE = 1e-12
"""Of a score that is computed again on the same machine."""

NAMED = 5
"""So many clips of a difference are named."""


def request_of(run: Mapping[str, Any], home: Path) -> Request:
    """Return the request that run.json holds."""
    lists = {name: tuple(value) for name, value in run["request"].items() if isinstance(value, list)}
    return Request(**{**run["request"], **lists}, home=home, command=run["command"])


def audit(store: Store, home: Path) -> list[str]:
    """Return what differs, a line each; nothing if all is verified.

    Lines of results.jsonl are compared with their seals, scores with the predictions that they are of,
    predictions with the split, the split with its groups; and data, splits, extractors and heads with what is
    here now.

    Raises
    ------
    UsageError
        If the folder holds no run, or a line of results.jsonl is none.
    """
    run, known = store.run(), store.results()
    found = [f"{store.results_path}:{n}: is not as it was written" for n in store.broken_seals()]
    tables = {(table["dataset"], table["task"]): table for table in run["tables"]}
    folds = {}
    for (dataset, task), table in tables.items():
        folds[dataset, task] = store.split(dataset, task)
        found += _split(f"{dataset}, {task}", folds[dataset, task], table)
    for key in run["cells"]:
        result = known.get(key)
        if result is None:
            found.append(f"{store.results_path}: lacks the cell {key}, which run.json names")
        elif result.status == Status.OK:
            pair = result.dataset, result.task
            found += [f"{_name(result)}: {each}" for each in _cell(store, result, folds[pair], tables[pair])]
    return found + list(_world(store, run, home))


def _name(result: Result) -> str:
    where = f"{result.task} on {result.dataset}"
    return f"{where}, {result.extractor} ({result.view}) x {result.head}, seed {result.seed}"


def _split(name: str, table: pd.DataFrame, protocol: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a stored split."""
    if fingerprint(table) != protocol["split_digest"]:
        yield f"{name}: the stored split is not the one that run.json names"
    split = Split(protocol["split"], table["fold"].to_numpy(str), _groups(table), leaky=protocol["leaky"])
    try:
        splits.check(split, table["y"].to_numpy(str))
    except BenchError as error:
        yield f"{name}: {error}"


def _groups(table: pd.DataFrame) -> dict[str, Any]:
    columns = [str(name) for name in table.columns if str(name).startswith(GROUP_PREFIX)]
    return {name.removeprefix(GROUP_PREFIX): table[name].to_numpy(str) for name in columns}


def _cell(store: Store, result: Result, folds: pd.DataFrame, protocol: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a cell's predictions and scores."""
    if not store.predictions_path(result.key).is_file():
        yield "its predictions are gone"
        return
    predictions = store.predictions(result.key)
    if fingerprint(predictions) != result.predictions:
        yield "its predictions are not the ones that were scored"
    said = folds.set_index("clip").reindex(predictions["clip"])
    group = f"{GROUP_PREFIX}{protocol['group']}"
    for column, own in (("fold", "fold"), ("y", "y_true"), (group, "group")):
        if (said[column].to_numpy(str) != predictions[own].to_numpy(str)).any():
            yield f"its predictions have another {own} than the split"
    parents = store.labels(result.dataset).set_index("clip").reindex(predictions["clip"])
    parent = parents["parent"].to_numpy(str) if "parent" in parents else None
    gone = [name for name in protocol["metrics"] if name not in METRICS]
    if gone:
        yield f"{', '.join(gone)} cannot be computed again; install what brought that"
        return
    again = scores(predictions, protocol["metrics"], parent)
    for name in sorted({*again, *result.scores}):
        if not _equal(again.get(name), result.scores.get(name)):
            yield f"{name} is {_told(result.scores.get(name))}; its predictions give {_told(again.get(name))}"


def _equal(a: Score | None, b: Score | None) -> bool:
    if a is None or b is None:
        return False
    pairs = zip((a.value, a.low, a.high, *a.folds), (b.value, b.low, b.high, *b.folds), strict=False)
    same = all(
        x == y or (x is not None and y is not None and math.isclose(x, y, rel_tol=0, abs_tol=TOLERANCE))
        for x, y in pairs
    )
    return same and len(a.folds) == len(b.folds)


def _told(score: Score | None) -> str:
    if score is None:
        return "missing"
    return f"{score.value:.6f}" + ("" if score.low is None else f" [{score.low:.6f}, {score.high:.6f}]")


def _world(store: Store, run: Mapping[str, Any], home: Path) -> Iterator[str]:
    """Yield what is no longer as it was: data, splits, extractors, heads."""
    try:
        with contextlib.chdir(run["folder"]):
            now = plan(replace(request_of(run, home), look_again=True), load())
    except (BenchError, OSError) as error:
        yield f"the run cannot be planned again: {error}"
        return
    yield from _moved(store, run, now)


def _moved(store: Store, run: Mapping[str, Any], now: Plan) -> Iterator[str]:
    """Yield how a plan made now differs from the one that was run."""
    tables = {(table["dataset"], table["task"]): table for table in run["tables"]}
    for pair, problem in now.problems.items():
        if pair not in tables:
            yield f"{', '.join(pair)}: can be split now, which it could not be"
        elif problem.fingerprint != tables[pair]["split_digest"]:
            made = fold_table(now.sources[pair[0]], problem.y, problem.split)
            yield from (f"{', '.join(pair)}: {each}" for each in _clips_moved(store.split(*pair), made))
    for pair in tables.keys() - now.problems.keys():
        yield f"{', '.join(pair)}: cannot be split now"
    for name, is_ in versions(VERSIONED).items():
        if run["env"].get(name) != is_:
            yield f"{name} was {run['env'].get(name)}, is {is_}"
    for name, identity in now.identities.items():
        was = run["identities"].get(name)
        if was and was != identity:
            parts = [part for part in sorted({*was, *identity}) if was.get(part) != identity.get(part)]
            yield f"{name}: {', '.join(parts)} changed since"


def _clips_moved(then: pd.DataFrame, now: pd.DataFrame) -> Iterator[str]:
    """Yield how the clips of a split differ."""
    then, now = then.set_index("clip"), now.set_index("clip")
    gone, new = then.index.difference(now.index), now.index.difference(then.index)
    if len(gone):
        yield f"{len(gone)} clips are gone: {_some(gone)}"
    if len(new):
        yield f"{len(new)} clips are new: {_some(new)}"
    common = then.index.intersection(now.index)
    for column in then.columns.union(now.columns, sort=False):
        if column not in then or column not in now:
            yield f"{column} is not a column of both"
            continue
        other = common[(then.loc[common, column] != now.loc[common, column]).to_numpy()]
        if len(other):
            what = {"content": "audio", "y": "label"}.get(str(column), str(column))
            yield f"{len(other)} clips have another {what}: {_some(other)}"


def _some(clips: Any) -> str:
    more = f" and {len(clips) - NAMED} more" if len(clips) > NAMED else ""
    return f"{', '.join(map(str, clips[:NAMED]))}{more}"


def differences(then: Store, now: Store) -> list[str]:
    """Return how the results of the plan in `then` differ from those in `now`, but for cost; a line each.

    Cells are matched by what they are called, since a changed machine or version changes their keys.
    """
    old, new = _called(then), _called(now)
    found = [f"{name}: is only in {then.out}" for name in old.keys() - new.keys()]
    found += [f"{name}: is only in {now.out}" for name in new.keys() - old.keys()]
    for name in old.keys() & new.keys():
        a, b = old[name], new[name]
        if a.status != b.status:
            found.append(f"{name}: was {a.status}, is {b.status}")
        for metric in sorted({*a.scores, *b.scores}):
            x, y = a.scores.get(metric), b.scores.get(metric)
            if x != y:
                found.append(f"{name}: {metric} was {_told(x)}, is {_told(y)}")
        if a.status == b.status == Status.OK and a.predictions != b.predictions:
            found.append(f"{name}: predictions differ")
        for each in sorted({*a.env, *b.env}):
            if a.env.get(each) != b.env.get(each):
                found.append(f"{name}: {each} was {a.env.get(each)}, is {b.env.get(each)}")
    return sorted(found)


def _called(store: Store) -> dict[str, Result]:
    results = store.planned()
    return {f"{_name(each)}, {each.split}, {each.train_size:g} of the groups": each for each in results}
