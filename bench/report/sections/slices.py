"""Scores by the values of a label column, such as accuracy by SNR."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from bench import stats
from bench.metrics import METRICS, Predicted
from bench.report import words
from bench.report.document import EMPTY, Block, Cell, Grid, Picture, Section, cell, strong, text
from bench.report.figures import Axis, Lines
from bench.report.rows import Table
from bench.types import Score, System

UNSAFE = re.compile(r"[^\w.-]")
"""Characters that the name of a figure does without."""

MOST_LINES = 8
"""Largest number of rows that a figure shows: the best ones."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The clips with one value of a column: their number, that of their groups, and their scores."""

    value: str
    n_clips: int
    n_groups: int
    scores: dict[System, Score] = field(default_factory=dict)

    @property
    def number(self) -> float:
        """Return the value as a number; NaN for a text."""
        return float(pd.to_numeric(self.value, errors="coerce"))


def slices(table: Table, column: str) -> list[Slice]:
    """Return the ranking scores over the clips of every value: numbers in their order, then texts."""
    labels = table.labels().set_index("clip")[column]
    parts: dict[str, Slice] = {}
    for row in table.lines:
        predictions = table.predictions(row.first)
        for label, clips in predictions.groupby(labels.loc[predictions["clip"]].to_numpy()):
            name = str(label)
            part = parts.setdefault(name, Slice(name, len(clips), clips["group"].nunique()))
            predicted = Predicted.of(clips)
            value = Score(table.metric, METRICS[table.metric].score(predicted))
            [part.scores[row.system]] = stats.bounded(predicted, clips["group"].to_numpy(str), [value])
    return sorted(parts.values(), key=lambda part: (math.isnan(part.number), _finite(part), part.value))


def _finite(part: Slice) -> float:
    return 0.0 if math.isnan(part.number) else part.number


def section(table: Table, column: str) -> Section:
    """Return a table's scores by a column, with every row's worst value, and a figure over numbers."""
    parts = slices(table, column)
    names = words.names(table)
    rows = [
        (
            *(cell(part.value), cell(part.n_clips), cell(part.n_groups)),
            *(words.score_cell(part.scores.get(system)) for system in names),
        )
        for part in parts
    ]
    worst = [_worst(parts, system, METRICS[table.metric].higher_is_better) for system in names]
    rows.append((Cell("worst", text(strong("worst"))), EMPTY, EMPTY, *worst))
    grid = Grid((column, "clips", "groups", *names.values()), tuple(rows))
    title = f"{table.metric} by {column}"
    blocks: list[Block] = [grid]
    if figure := _figure(table, column, parts):
        path = f"figures/{table.stem}-by-{UNSAFE.sub('_', column)}.png"
        blocks.append(Picture(title, figure, path))
    return Section(f"{title}: {words.title(table)}", 3, tuple(blocks), table=table.stem)


def _worst(parts: Sequence[Slice], system: System, higher_is_better: bool) -> Cell:
    """Return the score of the value that is hardest for a system."""
    scores = [part.scores[system] for part in parts if system in part.scores]
    worst = min if higher_is_better else max
    return words.score_cell(worst(scores, key=lambda score: score.value, default=None))


def _figure(table: Table, column: str, parts: Sequence[Slice]) -> Lines | None:
    """Return the scores of the best rows over the numbers of a column; None for fewer than two numbers."""
    numbers = [part for part in parts if math.isfinite(part.number)]
    if len(numbers) < 2:
        return None
    names = words.names(table)
    lines = {
        names[system]: {part.number: part.scores[system] for part in numbers if system in part.scores}
        for system in list(names)[:MOST_LINES]
    }
    return Lines(words.title(table), Axis(column), Axis(table.metric), lines)
