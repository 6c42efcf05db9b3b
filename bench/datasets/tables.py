"""Tables: a file -> rows of text, and rows of clips -> a `Dataset`."""

import csv
import os
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype, is_string_dtype

from bench.errors import UsageError, message, readable
from bench.types import AUDIO_COLUMNS, NOISE_PATH, NOISE_SNR, Dataset

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl")

SEPARATORS = (",", ";", "\t", "|")
"""Separators of the columns of a CSV, in the order in which they are looked for in its header."""

UTF16 = (b"\xff\xfe", b"\xfe\xff")
"""First bytes of a text in UTF-16, as spreadsheets save it."""

HEADER = 65_536
"""Largest length of a header, in bytes."""


def read_table(path: Path, separator: str = "", columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rows of a CSV, TSV, Parquet or JSON Lines file, with every value as str.

    The index `line` of a CSV's rows contains their line numbers.

    Parameters
    ----------
    separator : str
        Separator of the columns of a CSV; if empty, a tab in a TSV, else the first one of `SEPARATORS` in the
        header.
    columns : Sequence[str]
        Names of the columns of a CSV without header.

    Raises
    ------
    UsageError
        If the file is missing or cannot be parsed.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return _as_text(pd.read_parquet(path.absolute()))
        if path.suffix.lower() == ".jsonl":
            return _as_text(pd.read_json(path, lines=True, dtype=False))
        encoding = "utf-16" if _start(path).startswith(UTF16) else "utf-8-sig"
        header = _start(path).decode(encoding, errors="replace").partition("\n")[0]
        separator = separator or ("," if columns else _separator(path, header))
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
                encoding=encoding,
                # Texts in a TSV hold single quotation marks, unless its writer quotes all texts.
                quoting=csv.QUOTE_NONE if separator == "\t" and '"' not in header else csv.QUOTE_MINIMAL,
            )
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except (ValueError, OSError, pd.errors.ParserWarning) as error:  # pandas' and pyarrow's are ValueErrors
        raise UsageError(f"{path}: cannot be read as a table ({message(error)})") from error
    for name in table.columns:
        table[name] = table[name].str.strip()
    first_line = 1 if columns else 2
    table.index = pd.RangeIndex(first_line, len(table) + first_line, name="line")
    blank = (table == "").all(axis=1)
    return table.loc[~blank]


def _start(path: Path) -> bytes:
    """Return the first bytes of a file, which hold the header of a table."""
    with path.open("rb") as file:
        return file.read(HEADER)


def _separator(path: Path, header: str) -> str:
    """Return the separator of the columns of a table, a comma if there is but one column."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    several = (mark for mark in SEPARATORS if len(next(csv.reader([header], delimiter=mark), ())) > 1)
    return next(several, ",")


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of str, '' where a value is missing; numeric times stay numbers."""
    text = {
        name: column
        if is_text(column) or (name in {"start", "end"} and is_numeric_dtype(column))
        else column.astype(object).where(column.notna(), "").astype(str)
        for name, column in table.items()
    }
    return pd.DataFrame(text, index=table.index)


def is_text(column: "pd.Series[Any]") -> bool:
    """Return whether every value of a column is a str."""
    return is_string_dtype(column) and not column.hasnans


def dataset(table: pd.DataFrame, name: str, source: str, **fields: Any) -> Dataset:
    """Return the dataset of a table with the columns of `Dataset`; the column `recording` is optional.

    Labels lose spaces at either end, and get Unicode's composed form: people cannot tell these apart.

    Parameters
    ----------
    source : str
        File or folder that describes the clips, for messages.
    fields
        More fields of `Dataset`.

    Raises
    ------
    UsageError
        If the table is empty, a time is negative or infinite, or two rows are the same clip.
    """
    if table.empty:
        raise UsageError(f"{source}: holds no clips")
    audio_columns = [column for column in AUDIO_COLUMNS if column in table]
    numbers = [column for column in audio_columns if column != NOISE_PATH]
    others = [name for name in table.columns if name not in audio_columns and not is_text(table[name])]
    table = table.astype(dict.fromkeys(others, str))
    for column in {*table.columns} - {"clip", "path", *AUDIO_COLUMNS}:
        table[column] = _renamed(table[column], _label)
    table[numbers] = table[numbers].astype(float)
    if "recording" not in table:
        # Without the common folder: a group's name is part of every key, wherever the audio is.
        paths = table["path"].unique().tolist()
        folder = os.path.commonprefix(paths).rpartition("/")[0]  # noqa: RUF071  # cut at a folder
        table["recording"] = table["path"].str.removeprefix(f"{folder}/")
    for column in {"clip", *table.columns} - {"path", *AUDIO_COLUMNS}:
        table[column] = _renamed(table[column], readable)
    if readable(name) != name:
        name = readable(name).replace("\\x", "%")  # a name is part of file names, which have no backslash
    clips = Dataset(name=name, table=table, source=readable(source), **fields)
    for name in set(numbers) - {NOISE_SNR}:
        _refuse_times(clips, name)
    for columns in (["path", *audio_columns], ["clip"]):
        _refuse_duplicates(clips, columns)
    return clips


def _label(text: str) -> str:
    """Return a label without outer spaces, its letters composed (Unicode NFC)."""
    return unicodedata.normalize("NFC", text.strip())


def _renamed(column: "pd.Series[str]", rename: Callable[[str], str]) -> "pd.Series[str]":
    """Return a column with other values; equal values are changed once."""
    codes, names = pd.factorize(column)
    texts = [rename(name) for name in names]
    if texts == names.tolist():
        return column
    return pd.Series(np.array(texts, dtype=object)[codes], column.index, dtype=column.dtype)


def _refuse_times(clips: Dataset, column: str) -> None:
    """Raise UsageError for the first clip with a negative or infinite time in a column; NaN is no time."""
    times = clips.table[column].to_numpy(float)
    wrong = (times < 0) | np.isinf(times)
    if wrong.any():
        row = int(wrong.argmax())
        raise UsageError(
            f"{clips.location(row)}: column '{column}' is {times[row]:g}; expected seconds from 0 up"
        )


def _refuse_duplicates(clips: Dataset, columns: list[str]) -> None:
    """Raise UsageError for the first clip with the same values in these columns as an earlier clip."""
    duplicates = clips.table.duplicated(columns).to_numpy()
    if duplicates.any():
        row = int(duplicates.argmax())
        values = clips.table[columns].fillna(-1)
        first = int((values == values.iloc[row]).all(axis=1).to_numpy().argmax())
        value = clips.table[columns[0]].iloc[row]
        raise UsageError(
            f"{clips.location(row)}: {columns[0]} '{value}' is a duplicate of {clips.location(first)}; "
            "remove one of them"
        )
