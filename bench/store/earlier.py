"""What folders of earlier releases hold: an audit compares nothing that they never said."""

from collections.abc import Mapping
from dataclasses import fields

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


def line_fields(store: Store) -> Mapping[str, frozenset[str]]:
    """Return key -> fields that its line in results.jsonl holds, and those of its scores."""
    rows = [schema.unseal(line)[0] for line in lines(store.results_path)[:-1]]
    return {str(row["key"]): OF_LINES if row["schema"] == SCHEMA else _names(row) for row in rows}


def _names(row: Mapping[str, object]) -> frozenset[str]:
    """Return the fields of a line of an earlier schema."""
    scores = row["scores"]
    parts = scores.values() if isinstance(scores, Mapping) else scores
    return frozenset(RENAMED.get(name, name) for part in (row, *parts) for name in part)  # type: ignore[misc]


def record_fields(store: Store) -> frozenset[str]:
    """Return the fields of data sets and tables that the folder's run.json holds as values."""
    record = parse_json(store.run_path.read_bytes())
    number = record["schema"]
    if number == RUN_SCHEMA:
        return OF_RECORDS
    parts = (*record["datasets"].values(), *record["tables"])
    names = {RENAMED.get(name, name) for part in parts for name in part}
    return frozenset(name for name in names if VALUES_SINCE.get(name, 0) <= number)


def sentences(store: Store) -> list[str]:
    """Return the fields of the folder's run.json that hold sentences of an earlier release."""
    record = parse_json(store.run_path.read_bytes())
    parts = (*record["datasets"].values(), *record["tables"])
    names = [name for name, first in VALUES_SINCE.items() if record["schema"] < first]
    return [name for name in names if any(part.get(name) for part in parts)]


def is_contradictory(store: Store) -> bool:
    """Return whether a record of an earlier schema names cells of this one, which no release writes."""
    record = parse_json(store.run_path.read_bytes())
    rows = [schema.unseal(line)[0] for line in lines(store.results_path)[:-1]]
    keys = {str(row["key"]) for row in rows if row["schema"] == SCHEMA}
    return record["schema"] < RUN_SCHEMA and bool(keys & set(record.get("cells", ())))
