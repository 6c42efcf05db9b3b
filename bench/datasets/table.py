"""From rows of clips to a `Dataset` that keeps every promise of its type."""

from typing import Any

import pandas as pd

from bench.errors import UsageError
from bench.types import Dataset

COLUMNS = ("clip", "path", "start", "end")


def dataset(table: pd.DataFrame, name: str, source: str, **more: Any) -> Dataset:
    """Return the dataset of a table with the columns `clip`, `path` and label columns; the rest is added.

    Parameters
    ----------
    more
        Further fields of `Dataset`.

    Raises
    ------
    UsageError
        If the table is empty, or two of its rows are the same clip.
    """
    if table.empty:
        raise UsageError(f"{source}: holds no clips")
    window = table.reindex(columns=["start", "end"]).astype(float)
    labels = table.drop(columns=list(COLUMNS), errors="ignore").astype(str)
    full = pd.concat([table[["clip", "path"]].astype(str), window, labels], axis=1)
    if "recording" not in full:
        full["recording"] = full["path"]
    made = Dataset(name=name, table=full, source=source, **more)
    for columns in (["path", "start", "end"], ["clip"]):
        _refuse_duplicates(made, columns)
    return made


def _refuse_duplicates(made: Dataset, columns: list[str]) -> None:
    """Raise UsageError for the first clip that has the same values in these columns as an earlier one."""
    again = made.table.duplicated(columns).to_numpy()
    if again.any():
        row = int(again.argmax())
        values = made.table[columns].fillna(-1)
        first = made.place(int((values == values.iloc[row]).all(axis=1).to_numpy().argmax()))
        what = made.table[columns[0]].iloc[row]
        raise UsageError(
            f"{made.place(row)}: {columns[0]} '{what}' stands twice, first at {first}; keep one of them"
        )
