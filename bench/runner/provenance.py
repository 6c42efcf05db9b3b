"""What a run was: its record, with versions and the protocol of every table."""

import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench import catalog, display
from bench._version import __version__
from bench.datasets import recordings, spelling
from bench.datasets.index import Source
from bench.keys import digest
from bench.request import Request
from bench.runner.planning import Plan, Problem, augmentation_of
from bench.store import Counters, DatasetRecord, RunRecord, TableProtocol
from bench.types import Dataset, TaskId

VERSIONED = ("numpy", "scikit-learn")
"""Distributions of every run whose versions the record holds."""


def record(plan: Plan, request: Request, counters: Counters, *, finished: bool) -> RunRecord:
    """Return the record of a run."""
    return RunRecord(
        command=request.command,
        request=request,
        folder=str(Path.cwd()),
        finished=finished,
        env={
            **versions(VERSIONED),
            "machine": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
        },
        counters=counters,
        datasets={name: _dataset(source) for name, source in plan.sources.items()},
        tables=tuple(
            _protocol(plan.sources[dataset].dataset, problem, request)
            for (dataset, _), problem in plan.problems.items()
        ),
        identities=plan.identities,
        cells=tuple(cell.key for cell in plan.cells) + tuple(result.key for result in plan.rejected),
    )


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
        notes=tuple(map(display.without_folders, dataset.notes)),
        n_clips=len(source.contents),
        content=digest(list(source.contents)),
    )


def _protocol(dataset: Dataset, problem: Problem, request: Request) -> TableProtocol:
    task, split = problem.task, problem.split
    groups = pd.Series(split.groups[split.group]).groupby(problem.y).nunique()
    return TableProtocol(
        dataset=dataset.name,
        task=TaskId(task.name),
        about=task.about,
        metrics=task.metrics,
        split=problem.split_id,
        split_digest=problem.fingerprint,
        note=split.note,
        fewer_folds=split.fewer_folds,
        remarks=_remarks(dataset, problem),
        apart=() if split.leaky else tuple(split.groups),
        n_groups=len(np.unique(split.groups[split.group])),
        n_folds=len(list(split.rounds())),
        n_classes=len(np.unique(problem.y)),
        fewest_groups=(str(groups.idxmin()), int(groups.min())),
        augmentation=augmentation_of(request),
    )


def _remarks(dataset: Dataset, problem: Problem) -> tuple[str, ...]:
    """Return what a reader of the scores should know about the task's labels and groups."""
    split = problem.split
    columns = [name for name in (problem.task.target, *split.groups) if name in dataset.labels]
    by_file = recordings.remark(dataset) if split.group == "recording" else ""
    return (*filter(None, [by_file]), *spelling.remarks(dataset, columns))
