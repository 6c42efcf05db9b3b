"""The split of a task: the protocol of ``--split``, with the strictest groups that the data allow."""

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from bench.datasets.grouping import join_groups
from bench.errors import LeakError, SplitError, UsageError
from bench.splits.checks import fault, obstacle
from bench.splits.groups import task_groups
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
from bench.splits.refusals import refusal
from bench.types import CellObstacle, Dataset, GroupObstacle, Labels, Split, Task


def make(dataset: Dataset, task: Task, how: str, fingerprints: Sequence[str] = ()) -> Split:
    """Return the split of a task over a dataset.

    Clips without a target are not used. Others are in one group if they share a value of any column that the
    split keeps apart, or the same audio.

    Parameters
    ----------
    how : str
        Value of ``--split``, see `parse`; empty for ``fixed`` if the dataset has folds, else for ``cv:5``, or
        for fewer folds where these keep apart a stricter group.
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
    names = _candidates(dataset, task, how)
    protocols = {_short(name): parse(name, dataset, task) for name in names}
    has_label = y != ""
    if has_label.all():
        return _strictest(dataset, task, protocols, fingerprints)
    part = dataclasses.replace(dataset, table=dataset.table[has_label])
    prints = np.asarray(fingerprints, dtype=str)[has_label].tolist() if len(fingerprints) else ()
    protocols = {name: protocol.take(has_label) for name, protocol in protocols.items()}
    try:
        return _strictest(part, task, protocols, prints).spread(has_label)
    except SplitError as error:
        obstacle = error.obstacle
        if not isinstance(obstacle, CellObstacle):
            raise
        counts = (int((~has_label).sum()), len(y))
        raise refusal(type(error), dataclasses.replace(obstacle, unlabelled=counts)) from error


def _strictest(
    dataset: Dataset, task: Task, protocols: Mapping[str, SplitProtocol], fingerprints: Sequence[str]
) -> Split:
    """Return the split that keeps the strictest groups apart that the data allow; every clip has a target.

    Raises
    ------
    LabelError, SplitError
        See `make`.
    """
    obstacles: list[GroupObstacle] = []
    for columns in _columns(dataset, task):
        if isinstance(columns, GroupObstacle):
            obstacles.append(columns)
            continue
        split = _first(dataset, task, protocols, columns, fingerprints)
        if isinstance(split, GroupObstacle) and len(columns) > 2:  # groups that cross may chain all clips
            crossed = dataclasses.replace(split, columns=columns[:-1])
            split = _first(dataset, task, protocols, (columns[0], columns[-1]), fingerprints)
            obstacles += [crossed] if isinstance(split, Split) else []
        if isinstance(split, Split):
            return dataclasses.replace(split, obstacles=() if split.leaky else tuple(obstacles))
        obstacles.append(split)
    names = (task.name, dataset.source, next(iter(protocols)), task.target)
    raise refusal(SplitError, CellObstacle("split", names, groups=tuple(obstacles)))


def _columns(dataset: Dataset, task: Task) -> Iterator[tuple[str, ...] | GroupObstacle]:
    """Yield the columns to keep apart together, from strict to lenient, or why one cannot be."""
    clips = dataset.table
    columns = (*task.stricter, *task.groups)
    n_gaps = {name: int((clips[name] == "").sum()) for name in task.stricter if name in dataset.labels}
    names = [name for name in columns if name in dataset.labels and not n_gaps.get(name)]
    for name in columns:
        if name in names:
            yield tuple(names[names.index(name) :])
        elif name in n_gaps:
            yield GroupObstacle((name,), "incomplete", n_gaps[name], len(clips))
        elif name in task.groups:
            yield GroupObstacle((name,), "absent")


def _first(  # what a split is made of
    dataset: Dataset,
    task: Task,
    protocols: Mapping[str, SplitProtocol],
    columns: tuple[str, ...],
    fingerprints: Sequence[str],
) -> Split | GroupObstacle:
    """Return the split by the first protocol that keeps some columns apart, or why the last one cannot.

    Raises
    ------
    LabelError
        If a clip has no group.
    SplitError
        If the folds are the user's own and leak a column that the task has to keep apart.
    """
    y = target(dataset, task)
    groups = task_groups(dataset, columns, fingerprints)
    failures: list[GroupObstacle] = []
    for name, protocol in protocols.items():
        split = _split(name, protocol, y, groups)
        if isinstance(split, Split):
            return dataclasses.replace(split, fewer_folds=failures[0] if failures else None)
        if protocol.user_defined and split.protocol and columns[0] not in task.stricter:
            listed = CellObstacle("listed split", (task.target,), groups=(split,))
            raise refusal(LeakError if split.kind == "leak" else SplitError, listed)
        failures.append(dataclasses.replace(split, columns=split.columns or columns[:1]))
    return failures[-1]


def _candidates(dataset: Dataset, task: Task, how: str) -> list[str]:
    """Return the values of ``--split`` to try: the user's, or ``fixed``, or ``cv:5`` down to ``cv:2``."""
    if how:
        return [how]
    if "fold" in dataset.labels or task.name in dataset.fold_lists:
        return ["fixed"]
    return [f"cv:{n_folds}" for n_folds in range(N_FOLDS, 1, -1)]


def _short(how: str) -> str:
    """Return a value of ``--split`` without the folder of a file."""
    return Path(how).name if how.endswith(".csv") else how


def _split(
    name: str, protocol: SplitProtocol, y: Labels, groups: Mapping[str, Labels]
) -> Split | GroupObstacle:
    """Return the split by a protocol that keeps groups apart, or why there is none."""
    group = join_groups(groups)
    reason = obstacle((next(iter(groups)),), group, y, protocol)
    if reason:
        return reason
    split = Split(name=name, fold=protocol.folds(y, group), groups=groups, leaky=protocol.leaky)
    return split if split.leaky else fault(split, y) or split


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
