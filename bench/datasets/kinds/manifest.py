"""A CSV, Parquet or JSON Lines file with one row per clip.

It has the column path, label columns, and optionally clip, start, end (in s) and fold. So are the tables of
audformat, with the column file and times such as ``0 days 00:00:01.5``, and the metadata of a Hugging Face
audio folder, with the column file_name.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import is_numeric_dtype

from bench.datasets.tables import dataset, is_text
from bench.errors import UsageError
from bench.types import Dataset

SUFFIXES = (".csv", ".parquet", ".jsonl")

PATHS = ("path", "file", "file_name")
"""What the column of the files may be called; the first one that is there counts."""

MISSING = ("", "nan", "NaT")


def load(path: Path) -> Dataset:
    """Return the dataset that a manifest describes; its paths are relative to it.

    Raises
    ------
    UsageError
        If the file cannot be parsed, lacks the column `path`, or has a row without a path, with a window that
        is no number, or listed twice: the message names the line.
    """
    return of_table(read_table(path), path, str(path))


def of_table(table: pd.DataFrame, path: Path, source: str) -> Dataset:
    """Return the dataset of a manifest's rows, as `load` does.

    Parameters
    ----------
    path : Path
        What its paths are relative to the folder of, and what it is called after.
    source : str
        Where it is described.
    """
    named = next((name for name in PATHS if name in table), None)
    if named is None:
        raise UsageError(
            f"{path}: has no column 'path' (columns: {', '.join(table.columns)}); "
            "expected path, label columns, and optionally clip, start, end, fold"
        )
    table = table.rename(columns={named: "path"})
    _refuse(path, table, table["path"] == "", "has no path")
    for name in {"start", "end"} & set(table.columns):
        if is_numeric_dtype(table[name]):
            continue
        seconds = _seconds(table[name])
        bad = seconds.isna() & ~table[name].isin(MISSING)
        _refuse(path, table, bad, f"column '{name}' is no number; expected seconds")
        table[name] = seconds
    if "clip" not in table:
        table["clip"] = _clip_ids(table)
    places = {name: str(path.parent / name) for name in table["path"].unique()}
    table["path"] = table["path"].map(places)
    return dataset(table, name=path.stem, source=source)


def _seconds(column: "pd.Series[str]") -> "pd.Series[float]":
    """Return times in s, written as numbers or as 0 days 00:00:01.5; NaN where there is neither."""
    numbers = pd.to_numeric(column.replace("", "nan"), errors="coerce")
    spans = pd.to_timedelta(column.where(numbers.isna() & ~column.isin(MISSING)), errors="coerce")
    return numbers.fillna(spans.dt.total_seconds())


def read_table(path: Path, separator: str = ",", columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return a file's rows, every value as str; of a CSV, the index `line` holds their line numbers.

    Parameters
    ----------
    separator : str
        What stands between the columns of a text file.
    columns : Sequence[str]
        The names of its columns, if it has no line with their names.

    Raises
    ------
    UsageError
        If the file is absent or cannot be parsed.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return _as_text(pd.read_parquet(path.absolute()))
        if path.suffix.lower() == ".jsonl":
            return _as_text(pd.read_json(path, lines=True, dtype=False))
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a row longer than the header
            # Labels such as NA stay as they are, and blank lines keep the line numbers right.
            table = pd.read_csv(
                path,
                sep=separator,
                names=list(columns) or None,
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=False,
                skipinitialspace=True,
                index_col=False,
                encoding="utf-8-sig",
            )
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except (ValueError, OSError, pd.errors.ParserWarning) as error:  # pandas' and pyarrow's are ValueErrors
        raise UsageError(f"{path}: cannot be read as a table ({' '.join(str(error).split())})") from error
    for name in table.columns:
        table[name] = table[name].str.strip()
    first = 1 if columns else 2
    table.index = pd.RangeIndex(first, len(table) + first, name="line")
    blank = (table == "").all(axis=1)
    return table.loc[~blank]


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table of str, empty where a value is missing; times that are numbers stay numbers."""
    text = {
        name: column
        if is_text(column) or (name in {"start", "end"} and is_numeric_dtype(column))
        else column.astype(object).where(column.notna(), "").astype(str)
        for name, column in frame.items()
    }
    return pd.DataFrame(text, index=frame.index)


def _refuse(path: Path, table: pd.DataFrame, bad: "pd.Series[bool]", what: str) -> None:
    """Raise UsageError for the first row that is `bad`."""
    if bad.any():
        where = table.index[bad.to_numpy()][0]
        raise UsageError(f"{path}:{where}: {what}")


def _clip_ids(table: pd.DataFrame) -> "pd.Series[str]":
    """Return the path of every clip, with its window where it has one."""
    ids = pa.array(table["path"], pa.large_string())
    for name, mark in {"start": "#", "end": "-"}.items():
        if name in table:
            times = pa.array(table[name], pa.float64(), from_pandas=True).cast(ids.type)
            ids = pc.binary_join_element_wise(ids, times, pa.scalar(mark, ids.type), null_handling="skip")
    return pd.Series(ids.to_pandas().to_numpy(), table.index)
