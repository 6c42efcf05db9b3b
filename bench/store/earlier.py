"""What folders of earlier releases hold: an audit compares nothing that they never said."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from bench.files import parse_json
from bench.store import schema
from bench.store.folder import Store
from bench.store.lines import lines
from bench.store.record import RUN_SCHEMA, DatasetRecord, TableProtocol
from bench.types import SCHEMA, Result, Score

OF_LINES = frozenset(field.name for kind in (Result, Score) for field in fields(kind))
"""Fields of a line of this schema, and of its scores."""

OF_RECORDS = frozenset(field.name for kind in (DatasetRecord, TableProtocol) for field in fields(kind))
"""Fields of the data sets and tables in a record of this schema."""

VALUES_SINCE = {"notes": 4, "remarks": 4, "obstacles": 3, "fewer_folds": 3}
"""Field of a record -> first schema in which it holds values; before, these were sentences."""

RENAMED = {"augment": "augmentation"}
"""Field of a line of schema 1 to 3 -> its name today."""


@dataclass(frozen=True, slots=True)
class StoredFields:
    """What a folder's results.jsonl and run.json hold.

    Parameters
    ----------
    lines : Mapping[str, frozenset[str]]
        Key -> fields that its line in results.jsonl holds, and those of its scores.
    record : frozenset[str]
        Fields of data sets and tables that run.json holds as values.
    sentences : tuple[str, ...]
        Fields of run.json that hold sentences of an earlier release.
    is_contradictory : bool
        Whether a record of an earlier schema names cells of this one, which no release writes.
    """

    lines: Mapping[str, frozenset[str]]
    record: frozenset[str]
    sentences: tuple[str, ...]
    is_contradictory: bool

    @classmethod
    def of(cls, store: Store) -> Self:
        """Return the fields of a folder."""
        rows = [schema.unseal(line)[0] for line in lines(store.results_path)[:-1]]
        record = parse_json(store.run_path.read_bytes())
        parts, number = (*record["datasets"].values(), *record["tables"]), record["schema"]
        names = {RENAMED.get(name, name) for part in parts for name in part}
        values = {name for name in names if VALUES_SINCE.get(name, 0) <= number}
        texts = [name for name, first in VALUES_SINCE.items() if number < first]
        current = {str(row["key"]) for row in rows if row["schema"] == SCHEMA}
        return cls(
            lines={str(row["key"]): OF_LINES if row["schema"] == SCHEMA else _names(row) for row in rows},
            record=OF_RECORDS if number == RUN_SCHEMA else frozenset(values),
            sentences=tuple(name for name in texts if any(part.get(name) for part in parts)),
            is_contradictory=number < RUN_SCHEMA and bool(current & set(record.get("cells", ()))),
        )


def _names(row: Mapping[str, object]) -> frozenset[str]:
    """Return the fields of a line of an earlier schema."""
    scores = row["scores"]
    parts = scores.values() if isinstance(scores, Mapping) else scores
    return frozenset(RENAMED.get(name, name) for part in (row, *parts) for name in part)  # type: ignore[misc]
