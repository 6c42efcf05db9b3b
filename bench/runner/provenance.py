"""What run.json says of a run: enough for a report to need nothing but the store."""

import dataclasses
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import catalog
from bench._version import __version__
from bench.datasets.index import Source
from bench.keys import digest
from bench.request import Request
from bench.runner.planning import Plan, Problem

RUN_SCHEMA = 1
"""Version of run.json."""

VERSIONED = ("numpy", "scikit-learn")
"""What every run uses, and run.json holds the versions of."""

HERE = {"home", "command", "executor", "jobs", "cell_timeout", "look_again"}
"""What of a request says nothing of its results."""


@dataclass(slots=True)
class Counters:
    """What a run did, for run.json."""

    cells_planned: int = 0
    cells_computed: int = 0
    cells_reused: int = 0
    cells_failed: int = 0
    cells_skipped: int = 0
    clips_decoded: int = 0
    clips_embedded: int = 0
    clips_cached: int = 0
    seconds: float = 0.0


def record(plan: Plan, request: Request, counters: Counters, *, finished: bool) -> Mapping[str, Any]:
    """Return the content of run.json."""
    return {
        "schema": RUN_SCHEMA,
        "command": request.command,
        "request": _asked(request),
        "folder": str(Path.cwd()),
        "finished": finished,
        "env": {
            **versions(VERSIONED),
            "machine": f"{platform.system()} {platform.machine()}",
            "cores": os.cpu_count(),
        },
        "counters": dataclasses.asdict(counters),
        "datasets": {name: _described(source) for name, source in plan.sources.items()},
        "tables": [
            _table(plan.sources[dataset], problem, request) for (dataset, _), problem in plan.problems.items()
        ],
        "identities": plan.identities,
        "cells": [cell.key for cell in plan.cells] + [result.key for result in plan.rejected],
    }


def _described(source: Source) -> Mapping[str, Any]:
    dataset = source.dataset
    return {
        "source": dataset.source,
        "version": dataset.version,
        "synthetic": dataset.synthetic,
        "notes": list(dataset.notes),
        "n_clips": len(source.contents),
        "content": digest(list(source.contents)),
    }


def _asked(request: Request) -> Mapping[str, Any]:
    """Return what makes the same request again, but for what only says where it is computed."""
    asked = dataclasses.asdict(request)
    return {name: value for name, value in asked.items() if name not in HERE}


def _table(source: Source, problem: Problem, request: Request) -> Mapping[str, Any]:
    task, split = problem.task, problem.split
    return {
        "dataset": source.dataset.name,
        "task": task.name,
        "about": task.about,
        "metrics": list(task.metrics),
        "split": problem.protocol,
        "split_digest": problem.fingerprint,
        "group": split.group,
        "permuted": request.permute_labels,
        "augment": request.augmented,
        "note": split.note,
        "apart": [] if split.leaky else list(split.groups),
        "leaky": split.leaky,
        "n_groups": len(np.unique(split.groups[split.group])),
        "n_folds": len(list(split.rounds())),
        "n_classes": len(np.unique(problem.y)),
        "fewest_groups": _fewest_groups(problem),
    }


def _fewest_groups(problem: Problem) -> tuple[str, int]:
    """Return the class with the fewest groups, and how many it has."""
    counts = pd.Series(problem.split.groups[problem.split.group]).groupby(problem.y).nunique()
    return str(counts.idxmin()), int(counts.min())


def versions(distributions: Sequence[str]) -> dict[str, str]:
    """Return the versions of this package, of Python and of the distributions."""
    named = {name: catalog.version(name) for name in sorted(set(distributions))}
    return {"bench": __version__, "python": platform.python_version(), **named}
