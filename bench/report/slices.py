"""Scores by the values of a label column, such as accuracy by SNR."""

from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from bench import stats
from bench.metrics import METRICS, Predicted
from bench.report import figures, markdown
from bench.report.leaderboard import number
from bench.report.markdown import escaped
from bench.report.rows import Table
from bench.types import Score

MAX_LINES = 8
"""Number of rows that a figure shows, the best ones."""


def scores(table: Table, column: str) -> pd.DataFrame:
    """Return the ranking metric of every row of a table, over the clips of every value of a label column.

    Returns
    -------
    pd.DataFrame
        One row per value, numbers in their order: the numbers of `clips` and `groups`, and a column of `Score`
        per row of the table.
    """
    label = table.labels().set_index("clip")[column]
    metric = METRICS[table.main]
    slices: dict[str, dict[str, object]] = {}
    for row in table.rows:
        predictions = table.predictions(row.first)
        for value, clips in predictions.groupby(label.loc[predictions["clip"]].to_numpy()):
            score = Score(metric.name, metric.score(Predicted.of(clips)))
            counts = {"clips": len(clips), "groups": clips["group"].nunique()}
            [slices.setdefault(str(value), counts)[table.name(row)]] = stats.bounded(clips, [score])
    frame = pd.DataFrame.from_dict(slices, orient="index")
    order = pd.DataFrame({"number": _numbers(frame.index), "text": frame.index})
    return frame.iloc[order.sort_values(["number", "text"]).index]


def _numbers(values: pd.Index) -> pd.Series:
    return pd.to_numeric(pd.Series(values), errors="coerce")


def section(table: Table, column: str, frame: pd.DataFrame, figure: Path | None) -> str:
    """Return the Markdown of a table's scores by a column; the last row holds every system's worst score."""
    rows = [
        [escaped(str(value)), row["clips"], row["groups"], *map(_number, row.iloc[2:])]
        for value, row in frame.iterrows()
    ]
    worst = [_worst(frame[name], METRICS[table.main].higher_is_better) for name in frame.columns[2:]]
    headers = [escaped(column), "clips", "groups", *map(escaped, frame.columns[2:])]
    title = f"### {table.main} by {escaped(column)}: {table.task} on {escaped(table.title)}"
    rows.append(["**worst**", "", "", *worst])
    lines = [title, "", markdown.table(rows, headers)]
    if figure:
        lines += ["", f"![{table.main} by {escaped(column)}]({quote(figure.as_posix())})"]
    return "\n".join(lines)


def _number(score: object) -> str:
    return number(score) if isinstance(score, Score) else ""


def _worst(column: pd.Series, higher_is_better: bool) -> str:
    """Return the worst score of a system over the values."""
    scores = [score for score in column if isinstance(score, Score)]
    return number((min if higher_is_better else max)(scores, key=lambda score: score.value))


def lines(frame: pd.DataFrame) -> dict[str, dict[float, Score]]:
    """Return name -> value -> score of the best rows; empty if fewer than two of the values are numbers."""
    values = _numbers(frame.index).to_numpy()
    if np.isfinite(values).sum() < 2:
        return {}
    numeric = frame[np.isfinite(values)]
    return {
        str(name): {float(str(x)): score for x, score in numeric[name].items() if isinstance(score, Score)}
        for name in frame.columns[2 : 2 + MAX_LINES]
    }


def draw(table: Table, column: str, frame: pd.DataFrame, path: Path) -> bool:
    """Write the scores of the best rows by a column of numbers as a figure; return whether there is one."""
    curves = lines(frame)
    if curves:
        figures.lines(curves, figures.Axes(f"{table.task} on {table.title}", column, table.main), path)
    return bool(curves)
