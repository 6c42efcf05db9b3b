"""What a run was: its record, with versions and the protocol of every table."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import catalog
from bench._version import __version__
from bench.datasets import recordings, spelling
from bench.datasets.columns import STRICT
from bench.datasets.index import Source
from bench.keys import digest
from bench.request import Request
from bench.runner.machine import folders
from bench.runner.planning import Plan, Problem, augmentation_of
from bench.store import Counters, DatasetRecord, RunRecord, TableProtocol
from bench.types import Dataset, Note, Result, Split, Status, TaskId

VERSIONED = ("numpy", "scikit-learn")
"""Distributions of every run whose versions the record holds."""


def record(plan: Plan, request: Request, counters: Counters, *, finished: bool) -> RunRecord:
    """Return the record of a run."""
    return RunRecord(
        command=request.command,
        request=request,
        folder=str(Path.cwd()),
        folders=folders(plan, request),
        finished=finished,
        env={
            **versions(VERSIONED),
            "machine": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
        },
        counters=counters,
        datasets={name: _dataset(source) for name, source in plan.sources.items()},
        tables=tuple(
            _protocol(plan.sources[dataset], problem, request)
            for (dataset, _), problem in plan.problems.items()
        ),
        identities=plan.identities,
        cells=_keys(plan),
    )


def _keys(plan: Plan) -> tuple[str, ...]:
    """Return the keys of all results, in the order of the plan."""
    computed = (*(cell.key for cell in plan.cells), *(choice.key for choice in plan.selections))
    return (*computed, *(result.key for result in plan.rejected))


def with_earlier(now: RunRecord, last: RunRecord, results: Mapping[str, Result]) -> RunRecord:
    """Return the record of a run with the cells that earlier runs computed in its folder.

    A cell is left out if its clips, labels, split, metrics, extractor or head have changed since, or if it is
    of a repeat that this run does not have.

    Parameters
    ----------
    last : RunRecord
        The record that is replaced.
    results : Mapping[str, Result]
        Of the folder, by their keys.
    """
    identities = {**last.earlier_identities, **last.identities}
    tables = {_table_key(table): table for table in now.tables}
    same = [table for last_table in last.tables if (table := tables.get(_table_key(last_table)))]
    n_repeats = {(table.dataset, table.task.name): 1 + len(table.repeats) for table in same}

    def stands(result: Result) -> bool:
        is_same = all(now.identities.get(name, known) == known for name, known in _of(result, identities))
        if result.chosen:  # among the rows of another run
            return False
        has_split = result.repeat < n_repeats.get((result.dataset, result.task.name), 0)
        return result.status == Status.OK and is_same and has_split

    planned = set(now.cells)
    others = [key for key in dict.fromkeys((*last.cells, *last.earlier)) if key not in planned]
    earlier = [key for key in others if key in results and stands(results[key])]
    used = {name: identity for key in earlier for name, identity in _of(results[key], identities)}
    return replace(now, earlier=tuple(earlier), earlier_identities=used, models=last.models)


def _of(result: Result, identities: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the names of the extractor and the head of a cell, with their identities."""
    return [(name, identities.get(name, {})) for name in result.identity_names]


def _table_key(table: TableProtocol) -> str:
    """Return a digest of what results in one table share: clips, labels, split, metrics, augmentation."""
    return digest([table.dataset, asdict(table.task), *table.comparable])


def versions(distributions: Sequence[str]) -> dict[str, str]:
    """Return the versions of this package, of Python and of the distributions."""
    others = {name: catalog.version(name) for name in sorted(set(distributions))}
    return {"bench": __version__, "python": platform.python_version(), **others}


def _dataset(source: Source) -> DatasetRecord:
    dataset = source.dataset
    return DatasetRecord(
        source=dataset.source,
        version=dataset.version,
        synthetic=dataset.synthetic,
        notes=dataset.notes,
        n_clips=len(source.contents),
        content=digest(list(source.contents)),
        n_same_audio=source.n_same_audio,
    )


def _protocol(source: Source, problem: Problem, request: Request) -> TableProtocol:
    dataset, task, split = source.dataset, problem.task, problem.split
    has_label = problem.y != ""
    y, group = problem.y[has_label], split.groups[split.group][has_label]
    groups = pd.Series(group).groupby(y).nunique()
    return TableProtocol(
        dataset=dataset.name,
        task=TaskId(task.name),
        about=task.about,
        metrics=task.metrics,
        split=problem.split_id,
        split_digest=problem.fingerprint,
        obstacles=split.obstacles,
        fewer_folds=split.fewer_folds,
        remarks=_remarks(dataset, problem),
        sampling_units=() if split.leaky else _sampling_units(dataset, split),
        apart=() if split.leaky else tuple(split.groups),
        n_groups=len(np.unique(group)),
        n_folds=len(list(split.rounds())),
        n_classes=len(np.unique(y)),
        fewest_groups=(str(groups.idxmin()), int(groups.min())),
        augmentation=augmentation_of(request),
        n_unlabelled=int((~has_label).sum()),
        repeats=tuple(repeat.fingerprint for repeat in problem.repeats),
        n_near_copies=source.n_near,
    )


def _sampling_units(dataset: Dataset, split: Split) -> tuple[tuple[str, int], ...]:
    """Return the number of tested groups, and of speakers and sessions that span several of these groups.

    Another draw of groups would have the same speakers.
    """
    tested = np.unique(np.concatenate([test for _, _, test in split.rounds()]))
    group = pd.Series(split.groups[split.group][tested])
    names = [name for name in STRICT if name in dataset.labels and name not in split.groups]
    columns = {name: dataset.table[name].to_numpy()[tested] for name in names}
    coarser = [
        (name, len(np.unique(values)))
        for name, values in columns.items()
        if (values != "").all() and group.groupby(values).nunique().max() > 1
    ]
    return ((split.group, int(group.nunique())), *coarser)


def _remarks(dataset: Dataset, problem: Problem) -> tuple[Note, ...]:
    """Return what a reader of the scores should know about the task's labels and groups."""
    split = problem.split
    columns = [name for name in (problem.task.target, *split.groups) if name in dataset.labels]
    by_file = recordings.remark(dataset) if split.group == "recording" else None
    return (*filter(None, [by_file]), *spelling.remarks(dataset, columns))
