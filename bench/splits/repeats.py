"""Other assignments of the same groups to folds, to repeat a cross-validation."""

from dataclasses import replace

import numpy as np
import pandas as pd

from bench.datasets.grouping import join_groups
from bench.errors import SplitError
from bench.splits.checks import check
from bench.splits.labels import target
from bench.splits.protocols import SEED, CrossValidation, HoldOut, RandomFolds
from bench.splits.refusals import refusal
from bench.splits.selection import parse
from bench.types import CellObstacle, Dataset, Labels, Split, Task

MAX_TRIES = 20
"""Largest number of seeds to try per repeat: with few groups, many seeds give the same folds."""


def repeats(dataset: Dataset, task: Task, split: Split, n_repeats: int) -> list[Split]:
    """Return splits of the same clips by other assignments of groups to folds, behind the first one.

    Parameters
    ----------
    split : Split
        The first assignment.
    n_repeats : int
        Number of assignments, with the first one.

    Raises
    ------
    SplitError
        If the protocol has a single assignment, or the groups allow fewer than these.
    """
    if n_repeats == 1:
        return [split]
    protocol = parse(split.name, dataset, task) if is_repeatable(split.name) else None
    if not isinstance(protocol, CrossValidation | HoldOut | RandomFolds):
        raise refusal(SplitError, CellObstacle("single assignment", (split.name,), (n_repeats,)))
    labels = target(dataset, task)
    has_label = labels != ""
    first, y = split.take(has_label), labels[has_label]
    group = join_groups(first.groups)
    splits = {_partition(first): first}
    for seed in range(SEED + 1, SEED + MAX_TRIES * n_repeats):
        if len(splits) == n_repeats:
            break
        other = replace(first, fold=replace(protocol, seed=seed).folds(y, group))
        if _is_possible(other, y):
            splits.setdefault(_partition(other), other)
    if len(splits) < n_repeats:
        counts = (n_repeats, len(np.unique(group)), len(splits))
        raise refusal(SplitError, CellObstacle("few assignments", (split.name,), counts))
    return [split, *(other.spread(has_label) for other in list(splits.values())[1:])]


def is_repeatable(how: str) -> bool:
    """Return whether a value of ``--split`` has several assignments of groups to folds."""
    return how == "random" or how.startswith(("cv:", "holdout:"))


def _partition(split: Split) -> bytes:
    """Return the parts of a split, whatever the names of the folds."""
    return pd.factorize(split.fold)[0].tobytes()


def _is_possible(split: Split, y: Labels) -> bool:
    """Return whether every fold trains on the classes that it tests."""
    try:
        check(split, y)
    except SplitError:
        return False
    return True
