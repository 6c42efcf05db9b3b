"""Tables as CSV; leaderboard.csv has a line per row of every table, and per cell without a result."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench import display
from bench.report.rows import Row, Table
from bench.report.sections import Content
from bench.report.writers.json import costs
from bench.types import Result, Score, System

FORMULA = re.compile(r"[=+\-@\t\r]")
"""Start of a text that a spreadsheet computes."""

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")


def write(content: Content) -> str:
    """Return the lines of `frame`."""
    return text(frame(content.tables))


def text(table: pd.DataFrame) -> str:
    """Return a table as CSV; an apostrophe keeps a spreadsheet from computing a text."""
    texts = table.select_dtypes(exclude="number").map(_guarded)
    guarded = table.assign(**texts).rename(columns=_guarded)
    return str(guarded.to_csv(index=False, lineterminator="\n"))


def _guarded(value: Any) -> Any:
    """Return a cell, with an apostrophe before a text that a spreadsheet would take for a formula.

    Examples
    --------
    >>> _guarded("=1+1"), _guarded("-1"), _guarded(-1.5), _guarded("mfcc")
    ("'=1+1", '-1', -1.5, 'mfcc')
    """
    is_formula = isinstance(value, str) and FORMULA.match(value) and not NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value


def frame(tables: Sequence[Table]) -> pd.DataFrame:
    """Return a line per row of every table, and per cell without a result.

    Columns of a score are its metric, ``METRIC_low`` and ``METRIC_high``; at other levels than that of the
    clips, the metric has its level in brackets.
    """
    lines: list[Mapping[str, Any]] = []
    for table in tables:
        lines += [{**_shared(table), **_row(table, row)} for row in table.lines]
        lines += [{**_shared(table), **_other(result)} for result in table.others]
    return pd.DataFrame(lines)


def _shared(table: Table) -> dict[str, Any]:
    protocol = table.protocol
    return {
        "task": table.task.name,
        "dataset": table.dataset,
        "split": display.split(protocol.split) if protocol else "",
        "split_digest": protocol.split_digest if protocol else "",
        "synthetic": table.source.synthetic,
    }


def _row(table: Table, row: Row) -> dict[str, Any]:
    return {
        "status": "ok",
        "rank_low": row.standing.low if row.standing else None,
        "rank_high": row.standing.high if row.standing else None,
        "tied_with_best": row.may_be_best if row.standing else None,
        "p_chance": row.p_chance,
        **_system(row.system, with_view=not (row.is_baseline or row.is_selected)),
        "seeds": " ".join(map(str, row.seeds)),
        "repeats": row.n_repeats,
        "expected_low": row.expected[0] if row.expected else None,
        "expected_high": row.expected[1] if row.expected else None,
        "clips": row.first.n_test,
        "groups": row.first.n_groups,
        "metric": table.metric,
        **{name: value for score in row.scores for name, value in _score(score).items()},
        **({} if row.is_selected else costs(row)),
    }


def _other(result: Result) -> dict[str, Any]:
    system = _system(result.system, with_view=True)
    cause = display.cause(result)
    return {"status": str(result.status), **system, "seeds": str(result.seed), "reason": cause}


def _system(system: System, *, with_view: bool) -> dict[str, Any]:
    """Return a system in columns; the baseline and the row that is chosen in inner folds have no view."""
    view = system.view
    return {
        "extractor": system.extractor,
        "view": display.view(view) if with_view else "",
        "layer": str(view.layer) if with_view else "",
        "pool": view.pool if with_view else "",
        "preprocess": display.steps(system.preprocess),
        "augmentation": display.augmentation(system.augmentation),
        "head": display.head(system),
        "train_size": system.train_size,
        "normalise": system.normalise,
    }


def _score(score: Score) -> dict[str, float | None]:
    """Return a score in three columns."""
    name = display.metric(score)
    return {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
