"""More label columns for a dataset, from tables beside its audio."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.datasets.tables import read_table
from bench.errors import UsageError, shortlist
from bench.types import Dataset


@dataclass(frozen=True, slots=True)
class Join:
    """A table whose columns are added to a dataset, by a column that both have.

    Parameters
    ----------
    file : str
        CSV, Parquet or JSON Lines file, relative to the dataset's folder.
    on : str
        Column of the dataset to look up.
    key : str
        The same column in the table, if its name differs.
    columns : Sequence[str]
        Names of the table's columns, if it has no header.
    separator : str
        Separator of the table's columns; if empty, see `read_table`.
    rename : Mapping[str, str]
        Column of the table -> column of the dataset.
    """

    file: str
    on: str
    key: str = ""
    columns: Sequence[str] = ()
    separator: str = ""
    rename: Mapping[str, str] = field(default_factory=dict)

    def apply(self, dataset: Dataset, folder: Path) -> Dataset:
        """Return the dataset with the table's columns.

        Raises
        ------
        UsageError
            If a column is missing, the dataset has one of the new columns already, a key is a duplicate, or a
            clip has no row.
        """
        path, key = folder / self.file, self.key or self.on
        table = read_table(path, self.separator, self.columns)
        if self.on not in dataset.table or key not in table:
            columns = ", ".join(map(str, table.columns))
            raise UsageError(f"{path}: no '{self.on}' in the data or no '{key}' in the columns {columns}")
        rows = table.set_index(key).rename(columns=dict(self.rename))
        existing = set(rows.columns) & set(dataset.table.columns)
        if existing:
            raise UsageError(f"{path}: the data have {shortlist(existing)} already; rename these columns")
        duplicates = rows.index[rows.index.duplicated()]
        if len(duplicates):
            raise UsageError(f"{path}: {key} '{duplicates[0]}' is a duplicate; expected one line per {key}")
        missing = ~dataset.table[self.on].isin(rows.index)
        if missing.any():
            value = dataset.table.loc[missing, self.on].iloc[0]
            raise UsageError(f"{path}: does not list {key} '{value}'; add a line for it")
        return dataclasses.replace(dataset, table=dataset.table.join(rows, on=self.on))
