"""Labels of a dataset's clips, without gaps."""

import numpy as np
import pandas as pd

from bench.errors import LabelError
from bench.splits.refusals import refusal
from bench.types import CellObstacle, Dataset, Labels, Task

MOST_LABELS = 5
"""Largest number of labels that an obstacle holds."""


def target(dataset: Dataset, task: Task) -> Labels:
    """Return the label of every clip for a task, shape=(n_clips,); '' for a clip without a label.

    Raises
    ------
    LabelError
        If the dataset has no such column, no clip has a label, or all have the same label.
    """
    if task.target not in dataset.labels:
        raise LabelError(
            f"{dataset.source}: has no column '{task.target}', the target of task '{task.name}' "
            f"(label columns: {', '.join(dataset.labels)})"
        )
    y = _as_array(dataset.table[task.target])
    classes = np.unique(y[y != ""])
    if len(classes) < 2:
        n_unlabelled = int((y == "").sum())
        names = (dataset.source, task.target, *map(str, classes))
        raise refusal(LabelError, CellObstacle("one class", names, (n_unlabelled,)))
    return y


def labels(dataset: Dataset, column: str) -> Labels:
    """Return a label column as an array of str, shape=(n_clips,).

    Raises
    ------
    LabelError
        If a clip has no label.
    """
    return _as_array(complete(dataset, column))


def _as_array(column: "pd.Series[str]") -> Labels:
    """Return a column as an array of str, shape=(n_clips,)."""
    codes, names = pd.factorize(column)
    values: Labels = np.asarray(names, dtype=str)[codes]
    return values


def complete(dataset: Dataset, column: str) -> "pd.Series[str]":
    """Return a label column of the table.

    Raises
    ------
    LabelError
        If a clip has no label; the message gives its line.
    """
    values = dataset.table[column]
    empty = (values == "").to_numpy()
    if empty.any():
        others = sorted(set(values[~empty].tolist()))
        names = (dataset.location(int(empty.argmax())), column, *others[:MOST_LABELS])
        raise refusal(LabelError, CellObstacle("no group", names, (len(others),)))
    return values
