"""More label columns for a dataset, from tables that lie beside its audio."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.datasets.kinds.manifest import read_table
from bench.errors import UsageError, shortlist
from bench.types import Dataset


def join(
    made: Dataset,
    folder: Path,
    *,
    file: str,
    on: str,
    key: str = "",
    columns: Sequence[str] = (),
    separator: str = ",",
    rename: Mapping[str, str] | None = None,
) -> Dataset:
    """Return a dataset with the other columns of a table, looked up by one that they share.

    Parameters
    ----------
    file : str
        The table: CSV, Parquet or JSON Lines, relative to the folder.
    on : str
        The dataset's column that is looked up.
    key : str
        What that column is called in the table, if not the same.
    columns : Sequence[str]
        The names of the table's columns, if it has no line with their names.
    rename : Mapping[str, str] | None
        Column of the table -> what it is called in the dataset.

    Raises
    ------
    UsageError
        If a column is not there, the table repeats one or names a key twice, or a clip is not in it.
    """
    path, key = folder / file, key or on
    table = read_table(path, separator, columns)
    if on not in made.table or key not in table:
        known = ", ".join(map(str, table.columns))
        raise UsageError(f"{path}: no '{on}' in the data or no '{key}' in the columns {known}")
    own = table.set_index(key).rename(columns=dict(rename or {}))
    both = set(own.columns) & set(made.table.columns)
    twice = own.index[own.index.duplicated()]
    if both or len(twice):
        what = f"the data have {shortlist(both)} already" if both else f"{key} '{twice[0]}' stands twice"
        raise UsageError(f"{path}: {what}; expected one line of each {key}, and columns that are new")
    unknown = ~made.table[on].isin(own.index)
    if unknown.any():
        raise UsageError(f"{path}: does not list {key} '{made.table.loc[unknown, on].iloc[0]}'")
    return dataclasses.replace(made, table=made.table.join(own, on=on))
