"""The split of a task: the protocol of ``--split``, with the strictest groups that the data allow."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from bench.errors import SplitError, UsageError
from bench.splits.checks import check, obstacle
from bench.splits.groups import join_groups, task_groups
from bench.splits.labels import labels, target
from bench.splits.listings import read_folds
from bench.splits.protocols import (
    N_FOLDS,
    CrossValidation,
    HoldOut,
    LeaveOneGroupOut,
    ListedFolds,
    RandomFolds,
    SplitProtocol,
)
from bench.types import Dataset, Split, Task


def make(dataset: Dataset, task: Task, how: str, fingerprints: Sequence[str] = ()) -> Split:
    """Return the split of a task over a dataset.

    Clips without a target are not used. Others are in one group if they share a value of any column that the
    split keeps apart, or the same audio.

    Parameters
    ----------
    how : str
        Value of ``--split``, see `parse`; empty for ``fixed`` if the dataset has folds, else for ``cv:5``.
    fingerprints : Sequence[str]
        Fingerprint of every clip's samples; '' if no other clip shares them.

    Raises
    ------
    UsageError
        If `how` is unknown or does not fit the dataset.
    LabelError
        If no clip has a target, all have the same, or one with a target has no group.
    SplitError
        If the data allow no split by any of the task's groups, or the fixed split leaks.
    """
    y = target(dataset, task)
    has_folds = "fold" in dataset.labels or task.name in dataset.fold_lists
    how = how or ("fixed" if has_folds else f"cv:{N_FOLDS}")
    protocol = parse(how, dataset, task)
    name = Path(how).name if how.endswith(".csv") else how
    has_label = y != ""
    if has_label.all():
        return _strictest(dataset, task, protocol, name, fingerprints)
    part = replace(dataset, table=dataset.table[has_label])
    prints = np.asarray(fingerprints, dtype=str)[has_label].tolist() if len(fingerprints) else ()
    try:
        return _strictest(part, task, protocol.take(has_label), name, prints).spread(has_label)
    except SplitError as error:
        absent = f"{(~has_label).sum()} of {len(y)} clips have no {task.target}"
        raise SplitError(f"{error} ({absent})") from error


def _strictest(
    dataset: Dataset, task: Task, protocol: SplitProtocol, name: str, fingerprints: Sequence[str]
) -> Split:
    """Return the split that keeps the strictest groups apart that the data allow; every clip has a target.

    Raises
    ------
    LabelError, SplitError
        See `make`.
    """
    y = target(dataset, task)
    reasons: list[str] = []
    for column in task.groups:
        if column not in dataset.labels:
            reasons.append(f"{column}: there is no such column")
            continue
        groups = task_groups(dataset, task, column, fingerprints)
        group = join_groups(groups)
        reason = obstacle(column, group, y, protocol)
        if not reason:
            split = Split(
                name=name,
                fold=protocol.folds(y, group),
                groups=groups,
                note="" if protocol.leaky else "; ".join(reasons),
                leaky=protocol.leaky,
            )
            if protocol.leaky:
                return split
            try:
                check(split, y)
            except SplitError as error:
                if protocol.user_defined:
                    raise
                reason = str(error)
            else:
                return split
        reasons.append(f"{column}: {reason}")
    raise SplitError(
        f"task '{task.name}' cannot be split on {dataset.source} by {name}: {'; '.join(reasons)}; "
        "add clips or a group column, drop these classes, or ask for fewer folds"
    )


def parse(how: str, dataset: Dataset, task: Task) -> SplitProtocol:
    """Return the protocol of a value of ``--split``.

    Parameters
    ----------
    how : str
        ``cv:K``, ``loso``, ``holdout:F``, ``random``, ``FILE.csv``, or ``fixed`` for the dataset's list of
        folds for the task, or else for its column `fold`.

    Raises
    ------
    UsageError
        If `how` is none of these, or does not fit the dataset.
    """
    if how == "fixed" and task.name in dataset.fold_lists:
        path = dataset.fold_lists[task.name]
        return ListedFolds(read_folds(dataset, path), str(path))
    if how == "fixed" and "fold" in dataset.labels:
        return ListedFolds(labels(dataset, "fold"), f"{dataset.source}: column 'fold'")
    if how.endswith(".csv"):
        return ListedFolds(read_folds(dataset, Path(how)), how)
    if how == "loso":
        return LeaveOneGroupOut()
    if how == "random":
        return RandomFolds()
    kind, _, value = how.partition(":")
    if kind == "cv" and value.isdecimal() and int(value) >= 2:
        return CrossValidation(int(value))
    if kind == "holdout" and re.fullmatch(r"0?\.\d+", value) and 0.05 <= float(value) <= 0.5:
        return HoldOut(Fraction(value).limit_denominator(20))
    if how == "fixed":
        problem = f"{dataset.source} has no column 'fold', and no fixed split of task '{task.name}'"
        raise UsageError(f"--split {how}: {problem}")
    raise UsageError(
        f"--split {how}: expected fixed, cv:K with K >= 2, loso, holdout:F with F from 0.05 to 0.5, random "
        "or FILE.csv"
    )
