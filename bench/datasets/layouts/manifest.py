"""A manifest: a CSV, Parquet or JSON Lines file with one row per clip.

Columns are path, label columns, and optionally clip, start, end (in s) and fold. The tables of audformat are
manifests too, with the column file and times such as ``0 days 00:00:01.5``. So is the metadata file of a
Hugging Face audio folder, with the column file_name. Clips are in the order of their names.
"""

import dataclasses
import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import is_numeric_dtype

from bench.datasets.tables import dataset, read_table
from bench.errors import UsageError
from bench.paths import path_text
from bench.types import Dataset

PATHS = ("path", "file", "file_name")
"""Names of the column of the files; the first one in the table is used."""

MISSING = ("", "nan", "NaT")
"""Times that are missing."""


def load(path: Path) -> Dataset:
    """Return the dataset of a manifest; paths are relative to its folder.

    Raises
    ------
    UsageError
        If the file cannot be parsed or has no column `path`, or if a row has no path, a window that is not a
        number, or is a duplicate; the message gives the line.
    """
    return from_rows(read_table(path), path, str(path))


def from_rows(table: pd.DataFrame, path: Path, source: str) -> Dataset:
    """Return the dataset of the rows of a manifest.

    Parameters
    ----------
    path : Path
        Path of the manifest: its folder is the base of the paths, its stem the name of the dataset.
    source : str
        Source of the rows, for messages.

    Raises
    ------
    UsageError
        See `load`.
    """
    path_column = next((name for name in PATHS if name in table), None)
    if path_column is None:
        raise UsageError(
            f"{path}: has no column 'path' (columns: {', '.join(table.columns)}); "
            "expected path, label columns, and optionally clip, start, end, fold"
        )
    table = table.rename(columns={path_column: "path"})
    _refuse(path, table, table["path"] == "", "has no path; expected a file")
    for name in {"start", "end"} & set(table.columns):
        if is_numeric_dtype(table[name]):
            continue
        seconds = _seconds(table[name])
        malformed = seconds.isna() & ~table[name].isin(MISSING)
        _refuse(path, table, malformed, f"column '{name}' is not a number; expected seconds")
        table[name] = seconds
    files = table["path"].map({name: path_text(path.parent / name) for name in table["path"].unique()})
    for column in {"path", "clip", "recording"} & set(table.columns):
        if table[column].str.startswith(os.sep).any():
            table[column] = _portable(table[column], path.parent)
            if column == "path" and "recording" not in table:
                table["recording"] = table["path"]
    order = ["clip"] if "clip" in table else [name for name in ("path", "start", "end") if name in table]
    if "clip" not in table:
        table["clip"] = _clip_ids(table)
    rows = table[order].reset_index(drop=True).sort_values(order, kind="stable", na_position="first").index
    clips = dataset(table.assign(path=files), name=path.stem, source=source)
    return dataclasses.replace(clips, table=clips.table.iloc[rows])


def _portable(column: "pd.Series[str]", folder: Path) -> "pd.Series[str]":
    """Return a column of paths relative to a folder, or else by as many of their last names as differ.

    The names of clips and recordings are parts of keys, wherever the audio is, and get published.
    """
    names = [name for name in column.unique() if name]
    base = os.path.normpath(folder.absolute())
    paths = {name: os.path.normpath(Path(base, name)) for name in names}
    if all(Path(path).is_relative_to(base) for path in paths.values()):
        return column.map({"": "", **{name: os.path.relpath(path, base) for name, path in paths.items()}})
    parts = {name: Path(path).parts[1:] for name, path in paths.items()}
    depth, n_files = 1, len(set(parts.values()))
    while len({part[-depth:] for part in parts.values()}) < n_files:
        depth += 1
    return column.map({"": "", **{name: str(Path(*part[-depth:])) for name, part in parts.items()}})


def _seconds(column: "pd.Series[str]") -> "pd.Series[float]":
    """Return times in s from numbers or spans such as 0 days 00:00:01.5; NaN for anything else."""
    numbers = pd.to_numeric(column.replace("", "nan"), errors="coerce")
    spans = pd.to_timedelta(column.where(numbers.isna() & ~column.isin(MISSING)), errors="coerce")
    return numbers.fillna(spans.dt.total_seconds())


def _refuse(path: Path, table: pd.DataFrame, malformed: "pd.Series[bool]", problem: str) -> None:
    """Raise UsageError for the first malformed row."""
    if malformed.any():
        line = table.index[malformed.to_numpy()][0]
        raise UsageError(f"{path}:{line}: {problem}")


def _clip_ids(table: pd.DataFrame) -> "pd.Series[str]":
    """Return the path of every clip, followed by its window if it has one."""
    ids = pa.array(table["path"], pa.large_string())
    for name, mark in {"start": "#", "end": "-"}.items():
        if name in table:
            times = pa.array(table[name], pa.float64(), from_pandas=True).cast(ids.type)
            ids = pc.binary_join_element_wise(ids, times, pa.scalar(mark, ids.type), null_handling="skip")
    return pd.Series(ids.to_pandas().to_numpy(), table.index)
