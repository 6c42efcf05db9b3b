"""An audformat database: a folder with db.yaml, and a file db.NAME.csv or db.NAME.parquet for each table.

https://audeering.github.io/audformat/data-format.html
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import pandas as pd
import yaml

from bench.datasets.layouts import manifest
from bench.datasets.tables import read_table
from bench.errors import UsageError, shortlist
from bench.types import Dataset
from bench.validation import convert

HEADER = "db.yaml"

SUFFIXES = (".parquet", ".csv")
"""Suffixes of a table's file; audformat reads Parquet where both are there."""


class Column(msgspec.Struct, frozen=True):
    """A column of a table, and the scheme of its values."""

    scheme_id: str = ""


class Table(msgspec.Struct, frozen=True):
    """A table of files, or of segments of files, and the split that they are of."""

    type: Literal["filewise", "segmented"]
    split_id: str = ""
    columns: Mapping[str, Column] = msgspec.field(default_factory=dict)


class Scheme(msgspec.Struct, frozen=True):
    """Values of columns; a table of labels describes each one by further columns."""

    labels: Any = None


class Part(msgspec.Struct, frozen=True):
    """A split, called train, dev or test as its type."""

    type: str = ""


class Header(msgspec.Struct, frozen=True):
    """What db.yaml says of tables; its other entries are for people."""

    tables: Mapping[str, Table] = msgspec.field(default_factory=dict)
    splits: Mapping[str, Part] = msgspec.field(default_factory=dict)
    schemes: Mapping[str, Scheme] = msgspec.field(default_factory=dict)


def recognises(path: Path) -> bool:
    """Return whether a folder is a database."""
    return (path / HEADER).is_file()


def load(path: Path) -> Dataset:
    """Return the dataset of a database: its tables side by side, with what its schemes say of their labels.

    Tables of a split give the column `fold`. A database with segments has one table, since segments of
    several tables are no common clips.

    Raises
    ------
    UsageError
        If the header or a table cannot be read, there are segments in one of several tables, or two tables
        contradict each other.
    """
    header = _header(path / HEADER)
    files = {name: _file(path, name) for name in header.tables}
    segmented = [name for name, table in header.tables.items() if table.type == "segmented"]
    if not files or (segmented and len(files) > 1):
        problem = f"segments in {shortlist(segmented)}" if segmented else "no tables"
        choices = shortlist([f"{path.name}/{file.name}" for file in files.values()])
        fix = f"; expected one of its tables as the data set: {choices}" if files else ""
        raise UsageError(f"{path}: is an audformat database with {problem}{fix}")
    tables = [_with_fold(read_table(file), name, header) for name, file in files.items()]
    rows = tables[0] if len(tables) == 1 else _joined(tables, list(files.values()))
    clips = manifest.from_rows(_described(rows, header), path / HEADER, str(path))
    return dataclasses.replace(clips, name=path.resolve().name)


def _header(path: Path) -> Header:
    try:
        content = yaml.safe_load(path.read_bytes()) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
    return convert(content, Header, str(path))


def _file(path: Path, name: str) -> Path:
    """Return the file of a table."""
    files = [path / f"db.{name}{suffix}" for suffix in SUFFIXES]
    file = next(filter(Path.is_file, files), None)
    if file is None:
        raise UsageError(f"{path / HEADER}: there is no file of table '{name}'; expected db.{name}.csv")
    return file


def _with_fold(rows: pd.DataFrame, name: str, header: Header) -> pd.DataFrame:
    """Return a table with the side of its split as the column `fold`, if it has one."""
    split = header.tables[name].split_id
    fold = header.splits.get(split, Part()).type or split
    return rows.assign(fold=fold) if fold else rows


def _joined(tables: list[pd.DataFrame], files: list[Path]) -> pd.DataFrame:
    """Return tables of files side by side, one row per file; '' where no table has a value.

    Raises
    ------
    UsageError
        If two tables have other values for one file.
    """
    sources: dict[tuple[str, str], Path] = {}
    values: dict[str, dict[str, str]] = {}
    for table, source in zip(tables, files, strict=True):
        for row in table.to_dict("records"):
            name = row.pop("file", None)
            if name is None:
                raise UsageError(f"{source}: has no column 'file'; expected a table of files")
            others = values.setdefault(name, {})
            for column, value in row.items():
                first = others.get(column, "")
                if value and first and value != first:
                    where = f"{sources[name, column]} and {source}"
                    raise UsageError(
                        f"{where}: column '{column}' of {name} is '{first}' and '{value}'; give one of these "
                        "tables as the data set"
                    )
                if value:
                    others[column], sources[name, column] = value, source
    return pd.DataFrame([{"file": name, **row} for name, row in values.items()]).fillna("")


def _described(rows: pd.DataFrame, header: Header) -> pd.DataFrame:
    """Return rows with what the schemes of their columns say of each label, such as a speaker's gender."""
    columns = {name: column for table in header.tables.values() for name, column in table.columns.items()}
    for name in [name for name in columns if name in rows]:
        labels = header.schemes.get(columns[name].scheme_id, Scheme()).labels
        facts = labels if isinstance(labels, dict) else {}
        facts = {str(label): fact for label, fact in facts.items() if isinstance(fact, dict)}
        for fact in dict.fromkeys(key for value in facts.values() for key in value):
            if fact not in rows:
                texts = {label: str(value.get(fact) or "") for label, value in facts.items()}
                rows = rows.assign(**{fact: rows[name].map(texts).fillna("")})
    return rows
