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

MOST_LINES = 8
"""Rows of a table that a figure shows: the best ones."""


def scores(table: Table, column: str) -> pd.DataFrame:
    """Return the ranking metric of every row of a table, over the clips of each value of a column.

    Returns
    -------
    pd.DataFrame
        One row per value, numbers in their order: the number of `clips`, and a column of `Score` per row.
    """
    label = table.labels().set_index("clip")[column]
    metric = METRICS[table.main]
    parts: dict[str, dict[str, object]] = {}
    for row in table.rows:
        predictions = table.predictions(row.first)
        for value, clips in predictions.groupby(label.loc[predictions["clip"]].to_numpy()):
            score = Score(metric.score(Predicted.of(clips)))
            part = parts.setdefault(str(value), {"clips": len(clips), "groups": clips["group"].nunique()})
            part[table.name(row)] = stats.bounded(clips, {metric.name: score})[metric.name]
    frame = pd.DataFrame.from_dict(parts, orient="index")
    order = pd.DataFrame({"number": _numbers(frame.index), "text": frame.index})
    return frame.iloc[order.sort_values(["number", "text"]).index]


def _numbers(values: pd.Index) -> pd.Series:
    return pd.to_numeric(pd.Series(values), errors="coerce")


def section(table: Table, column: str, frame: pd.DataFrame, figure: Path | None) -> str:
    """Return the Markdown of a table's scores by a column; the last row is of each system's worst value."""
    rows = [
        [escaped(str(value)), row["clips"], row["groups"], *(_told(each) for each in row.iloc[2:])]
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


def _told(score: object) -> str:
    return number(score) if isinstance(score, Score) else ""


def _worst(column: pd.Series, higher_is_better: bool) -> str:
    """Return the score of the value that a system does worst on."""
    known = [score for score in column if isinstance(score, Score)]
    return number((min if higher_is_better else max)(known, key=lambda score: score.value))


def lines(frame: pd.DataFrame) -> dict[str, dict[float, Score]]:
    """Return name -> value -> score of the best rows; none where fewer than two of the values are numbers."""
    values = _numbers(frame.index).to_numpy()
    if np.isfinite(values).sum() < 2:
        return {}
    kept = frame[np.isfinite(values)]
    return {
        str(name): {float(str(x)): score for x, score in kept[name].items() if isinstance(score, Score)}
        for name in frame.columns[2 : 2 + MOST_LINES]
    }


def draw(table: Table, column: str, frame: pd.DataFrame, path: Path) -> bool:
    """Write the scores of the best rows by a column of numbers as a figure; return whether it has numbers."""
    found = lines(frame)
    if found:
        figures.lines(found, figures.Axes(f"{table.task} on {table.title}", column, table.main), path)
    return bool(found)
