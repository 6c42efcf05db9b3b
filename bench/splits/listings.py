"""Lists of folds: a CSV of clips, or of labels, and their folds -> folds, and back."""

from pathlib import Path

import numpy as np
import pandas as pd

from bench.datasets.columns import LABELS, spelling
from bench.datasets.tables import read_table
from bench.errors import UsageError, shortlist
from bench.types import Dataset, Labels, Split


def read_folds(dataset: Dataset, path: Path) -> Labels:
    """Return the fold of every clip, shape=(n_clips,), from a table with the column `fold` or `split`.

    The other column is `clip` or a label column.

    Raises
    ------
    UsageError
        If the table lacks a column, or does not list every clip or label once.
    """
    table = read_table(path)
    fold = spelling("fold", LABELS["fold"], table.columns)
    columns = [name for name in table.columns if name in {"clip", *dataset.labels} - {"fold", fold}]
    if fold is None or not columns:
        raise UsageError(f"{path}: has the columns {', '.join(table.columns)}; expected clip, fold")
    column = columns[0]
    folds = dict(zip(table[column], table[fold], strict=True))
    values = dataset.table[column].tolist()
    missing = set(values) - set(folds)
    unknown = set(folds) - set(values) if column == "clip" else set()
    n_duplicates = len(table) - len(folds)
    if missing or unknown or n_duplicates:
        raise UsageError(
            f"{path}: expected every {column} of {dataset.source} once; {n_duplicates} are duplicates, "
            f"{len(missing)} are missing ({shortlist(missing)}), {len(unknown)} are unknown "
            f"({shortlist(unknown)})"
        )
    return np.array([folds[value] for value in values])


def listing(split: Split, dataset: Dataset, column: str) -> pd.DataFrame:
    """Return a split as a table for ``--split FILE.csv``: a row per clip, or per label, and its fold.

    Parameters
    ----------
    column : str
        ``clip`` or a label column.

    Raises
    ------
    UsageError
        If there is no such column, or a label is in several folds.
    """
    if column not in {"clip", *dataset.labels}:
        raise UsageError(f"{dataset.source}: has no column '{column}' (columns: {shortlist(dataset.labels)})")
    table = pd.DataFrame({column: dataset.table[column].to_numpy(), "fold": split.fold}).drop_duplicates()
    several = table.loc[table[column].duplicated(), column].unique().tolist()
    if several:
        raise UsageError(
            f"{dataset.source}: {column} {shortlist(several)} is in several folds; list the folds by clip"
        )
    return table.sort_values(column, ignore_index=True)
