"""A manifest: a CSV, TSV, Parquet or JSON Lines file with one row per clip.

Columns are path, label columns, and optionally clip, start, end (in s) and fold. The tables of audformat are
manifests too, with the column file and times such as ``0 days 00:00:01.5``. So is the metadata file of a
Hugging Face audio folder, with the column file_name, and so are the tables of `corpora`. Clips are in the
order of their names.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PureWindowsPath

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import is_numeric_dtype

from bench.datasets.columns import LABELS, path_column, spelling, suggest_path
from bench.datasets.layouts import corpora
from bench.datasets.layouts.folder import SUFFIXES
from bench.datasets.tables import dataset, read_table
from bench.errors import UsageError, shortlist
from bench.paths import path_text
from bench.types import AUDIO_COLUMNS, NOISE_PATH, NOISE_SNR, NOISE_START, Dataset

MISSING = ("", "nan", "NaT")
"""Times that are missing."""

RENAMED = ("path", "clip", "recording", *AUDIO_COLUMNS)
"""Columns that a card renames before the rows are read, since they say what a clip is."""

FIRST = 10
"""Number of rows whose files tell the folder of the audio."""

EXPECTED = "expected path, and optionally label columns, clip, start, end, fold"

NO_RENAMES: Mapping[str, str] = {}


def load(path: Path, audio: Path | None = None, rename: Mapping[str, str] = NO_RENAMES) -> Dataset:
    """Return the dataset of a manifest.

    Parameters
    ----------
    audio : Path | None
        Folder that relative paths start from; that of the manifest if None.
    rename : Mapping[str, str]
        Column -> its new name; of these, the ones that say what a clip is.

    Raises
    ------
    UsageError
        If the file cannot be parsed or has no column `path`, or if a row has no path, a window that is not a
        number, or is a duplicate; the message gives the line.
    """
    table = read_table(path)
    names = {old: new for old, new in rename.items() if new in RENAMED and old in table}
    for new in names.values():
        if new in table:
            raise UsageError(f"{path}: rename: there is a column '{new}'; choose another name")
    return from_rows(table.rename(columns=names), path, str(path), audio)


def from_rows(table: pd.DataFrame, path: Path, source: str, audio: Path | None = None) -> Dataset:
    """Return the dataset of the rows of a manifest.

    Parameters
    ----------
    path : Path
        Path of the manifest: its folder is the base of the paths, its stem the name of the dataset.
    source : str
        Source of the rows, for messages.
    audio : Path | None
        Folder that relative paths start from; that of the manifest if None.

    Raises
    ------
    UsageError
        See `load`.
    """
    corpus = corpora.of(table)
    table = corpus.arrange(table) if corpus else table
    column = path_column(table.columns)
    if column is None:
        columns = ", ".join(map(str, table.columns))
        fix = suggest_path(table, SUFFIXES) or EXPECTED
        raise UsageError(f"{path}: has no column 'path' (columns: {columns}); {fix}")
    table = table.rename(columns={column: "path"})
    _refuse(path, table, table["path"] == "", "has no path; expected a file")
    recording = spelling("recording", LABELS["recording"], table.columns)
    if recording and "recording" not in table:
        table["recording"] = table[recording]
    table = _with_numbers(path, table)
    folders = [audio or path.parent]
    if corpus:
        folders.append(folders[0] / (Path(corpus.folder).name if audio else corpus.folder))
    table["path"] = _posix(table["path"], folders)
    located = _located(table, folders)
    for name in {"path", "clip", "recording"} & set(table.columns):
        if table[name].str.startswith(os.sep).any():
            table[name] = _portable(table[name], folders[0])
            if name == "path" and "recording" not in table:
                table["recording"] = table["path"]
    order = ["clip"] if "clip" in table else [name for name in ("path", "start", "end") if name in table]
    if "clip" not in table:
        table["clip"] = _clip_ids(table)
    rows = table[order].reset_index(drop=True).sort_values(order, kind="stable", na_position="first").index
    clips = dataset(table.assign(**located), name=path.stem, source=source)
    return replace(clips, table=clips.table.iloc[rows])


def _with_numbers(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose times and SNRs are numbers.

    Raises
    ------
    UsageError
        If one is not a number, or a noise is not described as a whole.
    """
    table = table.copy()
    for name in AUDIO_COLUMNS:
        if name not in table or name == NOISE_PATH or is_numeric_dtype(table[name]):
            continue
        seconds = _seconds(table[name])
        malformed = seconds.isna() & ~table[name].isin(MISSING)
        _refuse(path, table, malformed, f"column '{name}' is not a number; expected {_unit(name)}")
        table[name] = seconds
    noise = {NOISE_PATH, NOISE_START, NOISE_SNR}
    absent = noise - set(table.columns)
    if absent and absent != noise:
        raise UsageError(f"{path}: has no column {shortlist(absent)}; expected {shortlist(noise)} together")
    if not absent:
        noisy = table[NOISE_PATH] != ""
        incomplete = noisy & table[[NOISE_START, NOISE_SNR]].isna().any(axis=1)
        _refuse(path, table, incomplete, f"has no {NOISE_START} or no {NOISE_SNR}; expected numbers")
        table[NOISE_PATH] = table[NOISE_PATH].where(noisy)
    return table


def _unit(column: str) -> str:
    return "dB" if column == NOISE_SNR else "seconds"


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
    """Return numbers from texts such as 1.5, 1,5 or 0 days 00:00:01.5 (in s); NaN for anything else."""
    texts = column.astype(str).str.replace(r"^(-?\d*),(\d+)$", r"\1.\2", regex=True)
    numbers = pd.to_numeric(texts.replace("", "nan"), errors="coerce")
    spans = pd.to_timedelta(texts.where(numbers.isna() & ~texts.isin(MISSING)), errors="coerce")
    return numbers.fillna(spans.dt.total_seconds())


def _posix(paths: "pd.Series[str]", folders: list[Path]) -> "pd.Series[str]":
    r"""Return paths with slashes, where they are written as ``a\b.wav`` and no file has that very name."""
    names = {name for name in paths.unique().tolist() if "\\" in str(name)}
    slashed = {
        name: PureWindowsPath(name).as_posix()
        for name in names
        if not any((folder / name).exists() for folder in folders)
    }
    return paths.map(slashed).fillna(paths) if slashed else paths


def _located(table: pd.DataFrame, folders: list[Path]) -> Mapping[str, "pd.Series[str]"]:
    """Return the columns of paths in the first folder that holds some of the first files."""
    first = table["path"].unique().tolist()[:FIRST] if len(folders) > 1 else []
    home = next((f for f in folders if any((f / name).exists() for name in first)), folders[0])
    columns = [name for name in ("path", NOISE_PATH) if name in table]
    return {
        name: table[name].map({value: path_text(home / value) for value in table[name].dropna().unique()})
        for name in columns
    }


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
