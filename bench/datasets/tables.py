"""From rows of clips to a `Dataset` that keeps every promise of its type."""

import os
from typing import Any

import pandas as pd
from pandas.api.types import is_string_dtype

from bench.errors import UsageError
from bench.types import AUDIO_COLUMNS, Dataset


def dataset(table: pd.DataFrame, name: str, source: str, **more: Any) -> Dataset:
    """Return the dataset of a table with the columns of `Dataset`; `recording` is added if it is not there.

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
    kept = [name for name in AUDIO_COLUMNS if name in table]
    numbers = [name for name in kept if name != "noise_path"]
    other = [name for name in table.columns if name not in kept and not is_text(table[name])]
    full = table.astype(dict.fromkeys(other, str))
    full[numbers] = full[numbers].astype(float)
    if "recording" not in full:
        # Without the folder that all are in: a group's name is part of every key, wherever the audio lies.
        paths = full["path"].unique().tolist()
        folder = os.path.commonprefix(paths).rpartition("/")[0]  # noqa: RUF071  # cut at a folder
        full["recording"] = full["path"].str.removeprefix(f"{folder}/")
    made = Dataset(name=name, table=full, source=source, **more)
    for columns in (["path", *kept], ["clip"]):
        _refuse_duplicates(made, columns)
    return made


def is_text(column: "pd.Series[Any]") -> bool:
    """Return whether a column is str throughout, as nothing needs to make it."""
    return is_string_dtype(column) and not column.hasnans


def _refuse_duplicates(made: Dataset, columns: list[str]) -> None:
    """Raise UsageError for the first clip that has the same values in these columns as an earlier one."""
    again = made.table.duplicated(columns).to_numpy()
    if again.any():
        row = int(again.argmax())
        values = made.table[columns].fillna(-1)
        first = made.location(int((values == values.iloc[row]).all(axis=1).to_numpy().argmax()))
        what = made.table[columns[0]].iloc[row]
        raise UsageError(
            f"{made.location(row)}: {columns[0]} '{what}' stands twice, first at {first}; keep one of them"
        )
