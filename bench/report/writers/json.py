"""leaderboard.json: the tables as values, for programs and for the formats of other distributions."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from bench import display
from bench._version import __version__
from bench.report import words
from bench.report.rows import Row, Table
from bench.report.sections import Content
from bench.types import Cost, Result, SplitId

SCHEMA = 3
"""Version of leaderboard.json; docs/leaderboard.schema.json describes it."""

COSTS = tuple(item.name for item in fields(Cost))
"""Names of all costs."""


def write(content: Content) -> str:
    """Return the tables as JSON."""
    return json.dumps(values(content.tables), indent=2, ensure_ascii=False) + "\n"


def values(tables: tuple[Table, ...]) -> dict[str, Any]:
    """Return what leaderboard.json holds."""
    return {"schema": SCHEMA, "bench": __version__, "tables": [_table(table) for table in tables]}


def _table(table: Table) -> dict[str, Any]:
    source, protocol = table.source, table.protocol
    return {
        "dataset": table.dataset,
        "task": table.task.name,
        "title": words.dataset(table),
        "version": source.version,
        "content": source.content,
        "synthetic": source.synthetic,
        "split": _split(protocol.split) if protocol else None,
        "split_digest": protocol.split_digest if protocol else "",
        "metric": table.metric,
        "chance": asdict(table.chance) if table.chance else None,
        "best_corrected": asdict(table.best_corrected) if table.best_corrected else None,
        "rows": [_row(row) for row in table.rows],
        "selected": [_selected(row) for row in table.selected],
        "others": [_other(result) for result in table.others],
    }


def _split(split: SplitId) -> dict[str, Any]:
    """Return a table's split, which has its repeats in the rows."""
    return {name: value for name, value in asdict(split).items() if name != "repeat"}


def _row(row: Row) -> dict[str, Any]:
    system = asdict(row.system)
    return {
        "rank": [row.standing.low, row.standing.high] if row.standing else None,
        "tied_with_best": row.may_be_best if row.standing else None,
        "p_chance": row.p_chance,
        **({**system, "view": None} if row.is_baseline else system),
        "seeds": row.seeds,
        "repeats": row.n_repeats,
        "expected": row.expected,
        "clips": row.first.n_test,
        "groups": row.first.n_groups,
        "scores": [asdict(score) for score in row.scores],
        "cost": costs(row),
    }


def _selected(row: Row) -> dict[str, Any]:
    """Return the row that is chosen in inner folds, with the choices of every seed, repeat and fold."""
    values = _row(row)
    names = ("seeds", "repeats", "expected", "clips", "groups", "scores")
    chosen = [
        {"seed": result.seed, "repeat": result.repeat, **asdict(choice)}
        for result in row.results
        for choice in result.chosen
    ]
    return {**{name: values[name] for name in names}, "chosen": chosen}


def costs(row: Row) -> Mapping[str, float | None]:
    """Return the costs of the first seed by name."""
    return {name: getattr(row.first.cost, name) for name in COSTS}


def _other(result: Result) -> dict[str, Any]:
    return {
        **asdict(result.system),
        "seed": result.seed,
        "status": str(result.status),
        "reason": display.cause(result),
    }
