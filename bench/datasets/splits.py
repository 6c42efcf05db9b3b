"""Splits: one fold per clip, made so that no group stands on both sides, and refused where one does."""

import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from bench.datasets.manifest import read_table
from bench.errors import LabelError, SplitError, UsageError, some
from bench.types import Dataset, Labels, Split, Task

FOLDS = 5
SEED = 0
"""The folds' own seed: a cell's seed varies the head, never the split."""

DEV = {"val", "valid", "validation"}


def target(dataset: Dataset, task: Task) -> Labels:
    """Return the label of every clip.

    Raises
    ------
    LabelError
        If the dataset has no such column, a clip no label, or all clips the same one.
    """
    if task.target not in dataset.labels:
        raise LabelError(
            f"{dataset.source}: has no column '{task.target}', which task '{task.name}' predicts "
            f"(label columns: {', '.join(dataset.labels)})"
        )
    y = _column(dataset, task.target)
    if len(set(y.tolist())) < 2:
        raise LabelError(
            f"{dataset.source}: every clip has the {task.target} '{y[0]}'; expected two classes or more"
        )
    return y


def make(dataset: Dataset, task: Task, how: str) -> Split:
    """Return the split of a task over a dataset.

    Parameters
    ----------
    how : str
        ``cv:K`` for K folds, stratified and grouped; ``fixed`` for the column `fold`; ``FILE.csv`` for a
        table of clip and fold; empty for ``fixed`` where there is such a column, and else ``cv:5``.

    Raises
    ------
    UsageError
        If `how` is none of these, or does not fit the dataset.
    LabelError
        If the target or a group column has gaps, or the target a single class.
    SplitError
        If the data allow no split by any of the task's groups, or the fixed split leaks.
    """
    y = target(dataset, task)
    how = how or ("fixed" if "fold" in dataset.labels else f"cv:{FOLDS}")
    cv = re.fullmatch(r"cv:(\d+)", how)
    if cv and int(cv[1]) >= 2:
        return _cross_validation(dataset, task, y, int(cv[1]))
    if how == "fixed" and "fold" in dataset.labels:
        return _fixed(dataset, task, y, how, _column(dataset, "fold"))
    if how.endswith(".csv"):
        return _fixed(dataset, task, y, how, _listed_folds(dataset, Path(how)))
    fix = (
        f"{dataset.source} has no column 'fold'"
        if how == "fixed"
        else "expected fixed, cv:K with K >= 2 or FILE.csv"
    )
    raise UsageError(f"--split {how}: {fix}")


def check(split: Split, y: Labels) -> None:
    """Refuse a split that leaks, or that tests a class that it does not train on.

    Raises
    ------
    SplitError
        Naming the groups on both sides of a fold, or the classes.
    """
    rounds = list(split.rounds())
    if not rounds:
        raise SplitError(
            f"split '{split.name}' tests no clip; expected the folds train and test, or two or more folds"
        )
    for fold, train, test in rounds:
        for column, group in split.groups.items():
            both = set(group[train].tolist()) & set(group[test].tolist())
            if both:
                raise SplitError(
                    f"split '{split.name}' leaks: {column} {some(both)} on both sides of fold '{fold}'; "
                    f"put every {column} into one fold"
                )
        unseen = set(y[test].tolist()) - set(y[train].tolist())
        if unseen:
            raise SplitError(
                f"split '{split.name}' tests classes in fold '{fold}' that it never trains on: {some(unseen)}"
            )


def _cross_validation(dataset: Dataset, task: Task, y: Labels, n_folds: int) -> Split:
    reasons: list[str] = []
    for column in task.groups:
        reason = _obstacle(dataset, column, y, n_folds)
        if not reason:
            groups = _groups(dataset, task, column)
            split = Split(f"cv:{n_folds}", _folds(y, groups[column], n_folds), groups, "; ".join(reasons))
            try:
                check(split, y)
            except SplitError as error:
                reason = str(error)
            else:
                return split
        reasons.append(f"{column}: {reason}")
    raise _impossible(dataset, task, reasons)


def _fixed(dataset: Dataset, task: Task, y: Labels, name: str, fold: Labels) -> Split:
    reasons: list[str] = []
    fold = np.array(["dev" if f in DEV else f for f in fold.tolist()])
    for column in task.groups:
        reason = _obstacle(dataset, column, y, 2)
        if not reason:
            split = Split(Path(name).name, fold, _groups(dataset, task, column), "; ".join(reasons))
            check(split, y)
            return split
        reasons.append(f"{column}: {reason}")
    raise _impossible(dataset, task, reasons)


def _impossible(dataset: Dataset, task: Task, reasons: list[str]) -> SplitError:
    return SplitError(
        f"task '{task.name}' cannot be split on {dataset.source} without a leak: {'; '.join(reasons)}; "
        "add clips or a group column, drop these classes, or ask for fewer folds"
    )


def _obstacle(dataset: Dataset, column: str, y: Labels, n_folds: int) -> str:
    """Return why the values of a column cannot be kept apart in so many folds; empty if they can."""
    if column not in dataset.labels:
        return "there is no such column"
    group = _column(dataset, column)
    n_groups = len(set(group.tolist()))
    if n_groups < n_folds:
        return f"{n_groups} groups are fewer than {n_folds} folds"
    per_class = pd.Series(group).groupby(y).nunique()
    alone = per_class[per_class < 2]
    if len(alone):
        return f"{len(alone)} of {len(per_class)} classes have a single {column} ({some(alone.index)})"
    largest = int(pd.Series(y).value_counts().max())
    return f"no class has more than {largest} clips, fewer than {n_folds} folds" if largest < n_folds else ""


def _groups(dataset: Dataset, task: Task, column: str) -> Mapping[str, Labels]:
    """Return the groups of a column, and of the more lenient ones, which must not leak either."""
    columns = task.groups[task.groups.index(column) :]
    return {name: _column(dataset, name) for name in columns if name in dataset.labels}


def _folds(y: Labels, group: Labels, n_folds: int) -> Labels:
    fold = np.empty(len(y), dtype=object)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        # A class with fewer clips than folds is stratified as far as it goes.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        for number, (_, test) in enumerate(splitter.split(y, y, group)):
            fold[test] = str(number)
    return fold.astype(str)


def _listed_folds(dataset: Dataset, path: Path) -> Labels:
    """Return the fold of every clip from a table of clip and fold."""
    table = read_table(path)
    if not {"clip", "fold"} <= set(table.columns):
        raise UsageError(f"{path}: has the columns {', '.join(table.columns)}; expected clip, fold")
    folds = dict(zip(table["clip"], table["fold"], strict=True))
    clips = dataset.table["clip"].tolist()
    unlisted, unknown = set(clips) - set(folds), set(folds) - set(clips)
    if unlisted or unknown or len(folds) < len(table):
        raise UsageError(
            f"{path}: expected every clip of {dataset.source} once; {len(table) - len(folds)} stand twice, "
            f"{len(unlisted)} are not listed ({some(unlisted)}), {len(unknown)} are unknown ({some(unknown)})"
        )
    return np.array([folds[clip] for clip in clips])


def _column(dataset: Dataset, name: str) -> Labels:
    """Return a label column without gaps."""
    values = dataset.table[name].to_numpy(dtype=str)
    empty = values == ""
    if empty.any():
        others = some(set(values[~empty].tolist()))
        expected = f"; expected one of {others}" if others else ""
        raise LabelError(f"{dataset.place(int(empty.argmax()))}: column '{name}' is empty{expected}")
    return values
