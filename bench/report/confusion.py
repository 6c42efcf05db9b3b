"""Confusion matrices: counts, a figure, and a table, or of many classes the most confused pairs."""

from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix

from bench.metrics import Predicted, per_class
from bench.report import figures, markdown
from bench.report.markdown import escaped

MOST_IN_TABLE = 12
"""Classes up to which the whole matrix is a table."""

MOST_WITH_COUNTS = 25
"""Classes up to which the figure shows counts."""

MOST_WITH_NAMES = 80
"""Classes up to which the figure names every class."""

PAIRS = 10


def matrix(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of clips, shape=(n_classes, n_classes): true labels down, predicted across."""
    names = sorted(set(predictions["y_true"]) | set(predictions["y_pred"]))
    counts = confusion_matrix(predictions["y_true"], predictions["y_pred"], labels=names)
    return pd.DataFrame(counts, index=names, columns=names)


def section(counts: pd.DataFrame, title: str, figure: Path) -> str:
    """Return the Markdown of a matrix: its figure, and its table or its most confused pairs."""
    image = f"![{escaped(title)}]({quote(figure.as_posix())})"
    lines = [f"### Confusion matrix: {escaped(title)}", "", image, ""]
    names = [escaped(str(name)) for name in counts.columns]
    totals = counts.sum(axis=1).tolist()
    if len(counts) <= MOST_IN_TABLE:
        rows = [
            [name, *(_share(count, total) for count in row)]
            for name, row, total in zip(names, counts.to_numpy().tolist(), totals, strict=True)
        ]
        lines.append(markdown.table(rows, ["true \\ predicted", *names]))
    else:
        pairs = [[names[i], names[j], _share(n, totals[i])] for i, j, n in _pairs(counts)]
        lines.append(markdown.table(pairs, ["true", "predicted", "clips (of the true label)"]))
    return "\n".join(lines)


def per_class_section(predicted: Predicted) -> str:
    """Return the Markdown of precision, recall and F1 per class; of many classes, of the worst."""
    table = per_class(predicted)
    few = len(table) <= MOST_IN_TABLE
    shown = table if few else table.sort_values("f1", kind="stable").head(PAIRS)
    rows = [
        [
            escaped(str(name)),
            *(f"{row[column]:.3f}" for column in ("precision", "recall", "f1")),
            int(row["clips"]),
        ]
        for name, row in shown.iterrows()
    ]
    headers = ["class" if few else "worst classes", *table.columns]
    return markdown.table(rows, headers)


def _share(count: int, total: int) -> str:
    """Return a number of clips, and what part of the true label's clips that is."""
    return f"{count} ({100 * count / total:.0f} %)" if count else "0"


def _pairs(counts: pd.DataFrame) -> list[tuple[int, int, int]]:
    """Return the most frequent errors as places of true and predicted label, and number of clips."""
    errors = counts.to_numpy() * ~np.eye(len(counts), dtype=bool)
    order = np.argsort(-errors, axis=None, kind="stable")[:PAIRS]
    pairs = np.stack(np.unravel_index(order, errors.shape), axis=1).tolist()
    return [(i, j, int(errors[i, j])) for i, j in pairs if errors[i, j]]


def draw(counts: pd.DataFrame, title: str, path: Path) -> None:
    """Write a matrix as a figure of shares of each true label, unless it is there: a key has one matrix."""
    if path.exists():
        return
    n_classes = len(counts)
    side = min(4 + 0.35 * n_classes, 16)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shares = counts.to_numpy() / np.maximum(counts.to_numpy().sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true label", shrink=0.8)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(title, parse_math=False)
    if n_classes <= MOST_WITH_NAMES:
        size = 10 if n_classes <= MOST_WITH_COUNTS else 7
        rotation = 90 if n_classes > 4 else 0
        axes.set_xticks(
            range(n_classes), list(counts.columns), rotation=rotation, fontsize=size, parse_math=False
        )
        axes.set_yticks(range(n_classes), list(counts.index), fontsize=size, parse_math=False)
    if n_classes <= MOST_WITH_COUNTS:
        for (row, column), count in np.ndenumerate(counts.to_numpy()):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    figures.save(figure, path)
