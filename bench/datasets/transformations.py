"""Transformations that a card declares: more columns, other names, fewer clips, segments."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.datasets.joins import Join
from bench.datasets.params import call
from bench.datasets.segments import cut
from bench.errors import UsageError
from bench.types import AUDIO_COLUMNS, Card, Dataset, Note


@dataclass(frozen=True, slots=True)
class Transformations:
    """Changes to a dataset, applied in the order of the fields.

    Parameters
    ----------
    tables : Sequence[Mapping[str, Any]]
        Fields of a `Join` each.
    rename : Mapping[str, str]
        Column -> its new name.
    values : Mapping[str, Mapping[str, str]]
        Column -> value in the data -> label.
    drop : Mapping[str, Sequence[str]]
        Column -> labels whose clips are left out.
    segment : Mapping[str, Any]
        Arguments of `segments.cut`.
    """

    tables: Sequence[Mapping[str, Any]] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    drop: Mapping[str, Sequence[str]] = field(default_factory=dict)
    segment: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, dataset: Dataset, card: Card, folder: Path) -> Dataset:
        """Return the dataset after all transformations.

        Parameters
        ----------
        folder : Path
            Folder of the tables.

        Raises
        ------
        UsageError
            If a table, column or segment does not fit the dataset.
        """
        where = f"{card.source}: params"
        for table in self.tables:
            dataset = call(Join, params=table, where=f"{where}: tables").apply(dataset, folder)
        rename = {old: new for old, new in self.rename.items() if old in dataset.table}
        others = {*dataset.table.columns} - rename.keys()
        for name in rename.values():
            if not (name.strip() and name.isprintable()):
                raise UsageError(f"{where}: rename: {name!r} is no name of a column; choose another name")
            if name in {*others, "clip", "path", *AUDIO_COLUMNS}:
                raise UsageError(f"{where}: rename: there is a column '{name}'; choose another name")
        dataset = dataclasses.replace(dataset, table=dataset.table.rename(columns=rename))
        for column in {**self.values, **self.drop}:
            if column not in dataset.labels:
                columns = ", ".join(dataset.labels)
                raise UsageError(f"{where}: there is no column '{column}' (label columns: {columns})")
        for column, labels in self.values.items():
            dataset = _relabel(dataset, column, labels)
        for column, unwanted in self.drop.items():
            dataset = _drop(dataset, column, unwanted)
        return call(cut, dataset, params=self.segment, where=f"{where}: segment") if self.segment else dataset


def _relabel(dataset: Dataset, column: str, labels: Mapping[str, str]) -> Dataset:
    """Return a dataset with other values in a column."""
    column_labels = dataset.table[column].replace(dict(labels))
    return dataclasses.replace(dataset, table=dataset.table.assign(**{column: column_labels}))


def _drop(dataset: Dataset, column: str, labels: Sequence[str]) -> Dataset:
    """Return a dataset without the clips of some labels, with a note of their number."""
    dropped = dataset.table[column].isin(labels)
    note = Note("dropped", tuple(labels), count=int(dropped.sum()), column=column)
    return dataclasses.replace(dataset, table=dataset.table[~dropped], notes=(*dataset.notes, note))
