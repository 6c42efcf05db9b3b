"""Scores by the values of a label column, such as accuracy by SNR."""

import pandas as pd
from tabulate import tabulate

from bench.metrics import METRICS
from bench.report.leaderboard import Table, escaped
from bench.store import Store


def scores(store: Store, table: Table, column: str) -> pd.DataFrame:
    """Return the ranking metric of every row of a table, over the clips of each value of a column.

    Returns
    -------
    pd.DataFrame
        One row per value, numbers in their order: the number of `clips`, and a column per extractor and head.
    """
    label = store.labels(table.dataset).set_index("clip")[column]
    metric = METRICS[table.main]
    parts: dict[str, dict[str, float]] = {}
    for result in table.rows:
        predictions = store.predictions(result.key)
        for value, clips in predictions.groupby(label.loc[predictions["clip"]].to_numpy()):
            part = parts.setdefault(str(value), {"clips": len(clips)})
            part[table.name(result)] = metric.score(
                clips["y_true"].to_numpy(str), clips["y_pred"].to_numpy(str)
            )
    frame = pd.DataFrame.from_dict(parts, orient="index")
    order = pd.DataFrame(
        {"number": pd.to_numeric(pd.Series(frame.index), errors="coerce"), "text": frame.index}
    )
    return frame.iloc[order.sort_values(["number", "text"]).index]


def section(store: Store, table: Table, column: str) -> str:
    """Return the Markdown of a table's scores by a column."""
    frame = scores(store, table, column)
    rows = [
        [escaped(str(value)), str(int(row["clips"])), *(f"{score:.3f}" for score in row.drop("clips"))]
        for value, row in frame.iterrows()
    ]
    headers = [column, *map(escaped, frame.columns)]
    title = f"### {table.main} by {column}: {table.task} on {escaped(table.title)}"
    return f"{title}\n\n{tabulate(rows, headers=headers, tablefmt='github', disable_numparse=True)}"
