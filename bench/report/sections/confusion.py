"""Confusion matrix and scores per class of the best row; for many classes, the worst of them."""

import numpy as np
import pandas as pd

from bench import display
from bench.metrics import Predicted, per_class
from bench.report import words
from bench.report.document import Cell, Grid, Picture, Section, cell
from bench.report.figures import Matrix
from bench.report.rows import Table

MOST_IN_GRID = 12
"""Largest number of classes for which the whole matrix is a grid."""

N_WORST = 10
"""Number of pairs and classes that stand for more classes."""


def section(table: Table) -> Section | None:
    """Return the confusion matrix and the scores per class of a table's best row; None without one."""
    if table.best is None:
        return None
    best = table.best.first
    predictions = table.predictions(best)
    title = f"{words.title(table)}: {best.extractor}, {display.head(best.system)}"
    counts = matrix(predictions)
    path = f"confusion/{table.stem}-{best.key[:8]}.png"
    picture = Picture(title, Matrix(title, counts), path, keyed=True)
    return Section(
        f"Confusion matrix: {title}",
        3,
        (picture, grid(counts), scores(Predicted.of(predictions))),
        media=frozenset({"markdown"}),
        table=table.stem,
    )


def matrix(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of clips, shape=(n_classes, n_classes): true labels down, predicted across."""
    pairs = predictions[["y_true", "y_pred"]].to_numpy()
    names, codes = np.unique(pairs, return_inverse=True)
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, tuple(codes.reshape(pairs.shape).T), 1)
    return pd.DataFrame(counts, index=names, columns=names)


def grid(counts: pd.DataFrame) -> Grid:
    """Return the counts of a matrix with their shares of the true label, or the most confused pairs."""
    names = [str(name) for name in counts.columns]
    totals = counts.sum(axis=1).tolist()
    if len(counts) <= MOST_IN_GRID:
        rows = zip(names, counts.to_numpy().tolist(), totals, strict=True)
        return Grid(
            ("true \\ predicted", *names),
            tuple((cell(name), *(_share(count, total) for count in row)) for name, row, total in rows),
        )
    return Grid(
        ("true", "predicted", "clips (of the true label)"),
        tuple((cell(names[i]), cell(names[j]), _share(n, totals[i])) for i, j, n in _pairs(counts)),
    )


def _share(count: int, total: int) -> Cell:
    """Return a number of clips and its share of the true label's clips."""
    return cell(count, f"{count} ({100 * count / total:.0f} %)" if count else "0")


def _pairs(counts: pd.DataFrame) -> list[tuple[int, int, int]]:
    """Return the most frequent errors as (index of the true label, of the predicted one, number of clips)."""
    errors = counts.to_numpy() * ~np.eye(len(counts), dtype=bool)
    order = np.argsort(-errors, axis=None, kind="stable")[:N_WORST]
    pairs = np.stack(np.unravel_index(order, errors.shape), axis=1).tolist()
    return [(i, j, int(errors[i, j])) for i, j in pairs if errors[i, j]]


def scores(predicted: Predicted) -> Grid:
    """Return precision, recall and F1 per class; for many classes, of the worst."""
    table = per_class(predicted)
    few = len(table) <= MOST_IN_GRID
    classes = table if few else table.sort_values("f1", kind="stable").head(N_WORST)
    rows = [
        (
            cell(str(name)),
            *(cell(float(row[column]), f"{row[column]:.3f}") for column in ("precision", "recall", "f1")),
            cell(int(row["clips"])),
        )
        for name, row in classes.iterrows()
    ]
    return Grid(("class" if few else "worst classes", *map(str, table.columns)), tuple(rows))
