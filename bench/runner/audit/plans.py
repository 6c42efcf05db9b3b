"""A run's record, cells, labels and bad clips, against the same plan made now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import asdict

from bench import audio, display
from bench.errors import ClipError, shortlist
from bench.keys import changes
from bench.runner import provenance, world
from bench.runner.planning import Plan
from bench.runner.provenance import versions
from bench.store import RunRecord, Store
from bench.store.earlier import StoredFields
from bench.types import Cell, Clip, Result, Status

PLANNED = (
    *("dataset", "task", "extractor", "view", "head", "seed", "split"),
    *("synthetic", "preprocess", "augmentation", "train_size", "normalise", "is_tuned"),
)
"""Fields of a result that follow from the plan."""

REJECTED = (*PLANNED, "status", "obstacle")
"""Fields of the result of a cell that cannot be computed."""

RATE = 16_000
"""Sample rate at which clips of bad_clips.csv are read again, in Hz."""

MAX_READ = 20
"""Largest number of clips of bad_clips.csv that are read again, of every data set."""


def check_plan(store: Store, record: RunRecord, plan: Plan, fields: StoredFields) -> Iterator[str]:
    """Yield how a folder differs from a plan that was made now, in what has not changed since the run.

    What changed is left out: data whose splits differ, and extractors and heads with another identity.
    """
    now = provenance.record(plan, record.request, record.counters, finished=record.finished)
    yield from _check_tables(store, record, now, fields.record)
    yield from _check_labels(store, record, plan)
    yield from _check_bad_clips(store, record, plan)
    yield from _check_cells(store, record, plan, fields.lines)


def _check_tables(store: Store, record: RunRecord, now: RunRecord, fields: Set[str]) -> Iterator[str]:
    """Yield how the record's data sets and tables differ, in the fields that the folder's schema has."""
    for name, source in now.datasets.items():
        before = record.datasets.get(name)
        if before is None:
            yield f"{store.run_path}: data set {name} is missing"
        elif before.content == source.content:
            for field in changes(_values(before, fields), _values(source, fields)):
                yield f"{store.run_path}: {field} of data set {name} is not that of the data"
    tables = {(table.dataset, table.task): table for table in record.tables}
    for table in now.tables:
        before_table = tables.get((table.dataset, table.task))
        if before_table is not None and before_table.split_digest == table.split_digest:
            name = display.table(table.dataset, table.task.name)
            for field in changes(_values(before_table, fields), _values(table, fields)):
                yield f"{store.run_path}: {field} of {name} is not that of the data and the task"


def _values(record: object, fields: Set[str]) -> Mapping[str, object]:
    """Return some fields of a frozen dataclass."""
    values: Mapping[str, object] = asdict(record)  # type: ignore[call-overload]
    return {name: value for name, value in values.items() if name in fields}


def _check_labels(store: Store, record: RunRecord, plan: Plan) -> Iterator[str]:
    """Yield how the stored labels differ from those of the data."""
    for name, source in plan.sources.items():
        if name not in record.datasets or record.datasets[name].n_clips != len(source.contents):
            continue
        stored, now = store.labels(name), source.dataset.table[["clip", *source.dataset.labels]]
        if list(stored.columns) != list(now.columns):
            yield f"labels of {name}: the columns are {shortlist(list(stored.columns))}"
            continue
        for column in now.columns:
            differ = stored[column].astype(str).to_numpy() != now[column].astype(str).to_numpy()
            if differ.any():
                clips = now["clip"][differ].tolist()
                what = f"{column} of {len(clips)} clips is not that of the data"
                yield f"labels of {name}: {what}: {shortlist(clips)}"


def _check_bad_clips(store: Store, record: RunRecord, plan: Plan) -> Iterator[str]:
    """Yield the clips of bad_clips.csv that can be decoded."""
    table = store.bad_clips()
    for name, source in plan.sources.items():
        bad = table["clip"][table["dataset"] == name].tolist()
        clips = {clip.id: clip for clip in source.dataset.clips()} if bad else {}
        with world.inside(record):
            decodable = [clip for clip in bad[:MAX_READ] if clip in clips and _is_decodable(clips[clip])]
        unknown = [clip for clip in bad if clip not in clips]
        for what, names in ((f"of {name} can be decoded", decodable), (f"are not in {name}", unknown)):
            if names:
                yield f"{store.bad_clips_path}: {len(names)} clips {what}: {shortlist(names)}"


def _is_decodable(clip: Clip) -> bool:
    try:
        audio.read(clip, RATE)
    except ClipError:
        return False
    return True


def _check_cells(
    store: Store, record: RunRecord, plan: Plan, fields: Mapping[str, Set[str]]
) -> Iterator[str]:
    """Yield how the cells of the record differ from those of the plan."""
    results = store.results(sealed=False)
    cells = {cell.key: cell for cell in plan.cells}
    expected = {result.key: result for result in plan.rejected}
    expected |= {key: Result.unfinished(cell, Status.OK) for key, cell in cells.items()}
    same = {key: result for key, result in expected.items() if _is_unchanged(result, record, plan)}
    for key, result in same.items():
        if key not in record.cells:
            yield f"{store.run_path}: lacks the cell {display.cell(result)}"
        elif key in results:
            names = [name for name in (PLANNED if key in cells else REJECTED) if name in fields[key]]
            changed = [name for name in names if getattr(results[key], name) != getattr(result, name)]
            lines = [f"{name} is not that of the plan" for name in changed]
            if key in cells:
                lines += _changed_versions(results[key], cells[key], record)
            yield from (f"{display.cell(result)}: {line}" for line in lines)
    for key in record.cells:
        stored = results.get(key)
        if stored and key not in expected and _is_unchanged(stored, record, plan):
            yield f"{display.cell(stored)}: cell {key} is not of this plan"


def _shared(result: Result, record: RunRecord) -> Mapping[str, str]:
    """Return the versions of a result that are those of its run."""
    return {name: version for name, version in result.env.items() if record.env.get(name) == version}


def _is_unchanged(result: Result, record: RunRecord, plan: Plan) -> bool:
    """Return whether neither the data nor the code of a result changed since the run."""
    names = result.identity_names
    if any(name not in record.identities or name not in plan.identities for name in names):
        return False
    if any(record.identities[name] != plan.identities[name] for name in names):
        return False
    digests = {(table.dataset, table.task.name): table.split_digest for table in record.tables}
    table = (result.dataset, result.task.name)
    problem = plan.problems.get(table)
    return digests.get(table) == (problem.fingerprint if problem else None)


def _changed_versions(before: Result, cell: Cell, record: RunRecord) -> Iterator[str]:
    """Yield the versions of a computed cell that are other ones now, without those that its whole run had."""
    if before.status == Status.OK:
        shared = _shared(before, record)
        env = versions(["scikit-learn", *cell.extractor.requires, *cell.head.requires])
        for name in changes({**before.env, **shared}, {**env, **shared}):
            yield f"{name} {before.env.get(name)} -> {env.get(name)}"
