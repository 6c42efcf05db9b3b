"""Results to compare a run with: another run's folder, or two files in git.

NAME.jsonl holds lines as results.jsonl does. NAME.parquet beside it holds the predictions, with the columns
key, clip, group, y_true, y_pred; without it, scores are compared by the spread of their folds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.errors import UsageError
from bench.store import Store, read_results, write_results
from bench.types import Result, Status

SUFFIX = ".jsonl"
COLUMNS = ["clip", "group", "y_true", "y_pred"]
"""Columns of predictions that a baseline holds."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of two sets of results.

    Parameters
    ----------
    source : Path
        File or folder of the results.
    predictions : Callable[[str], pd.DataFrame | None]
        Key -> predictions; None if they are not stored.
    """

    source: Path
    results: Sequence[Result]
    predictions: Callable[[str], pd.DataFrame | None]


def side(source: Path) -> Side:
    """Return the results of a run's folder, or of a baseline's file.

    Raises
    ------
    UsageError
        If there is no such folder or file.
    """
    if source.is_dir():
        store = Store(source)
        return Side(source, store.planned(), store.predictions)
    if not source.is_file():
        raise UsageError(f"{source}: does not exist; expected a baseline's {SUFFIX} file, or a run's folder")
    path = source.with_suffix(".parquet").absolute()
    tables = dict(iter(pd.read_parquet(path).groupby("key"))) if path.is_file() else {}
    return Side(source, list(read_results(source).values()), tables.get)


def joined(sides: Sequence[Side]) -> Side:
    """Return the results of several runs as one; for equal keys the first result counts."""
    cells: dict[str, tuple[Result, Side]] = {}
    for side in sides:
        for result in side.results:
            cells.setdefault(result.key, (result, side))
    results = [result for result, _ in cells.values()]
    return Side(sides[0].source, results, lambda key: cells[key][1].predictions(key))


def write(run: Side, path: Path) -> None:
    """Write the computed cells of a run as a baseline.

    Raises
    ------
    UsageError
        If the path has another suffix, or the run has no computed cell.
    """
    if path.suffix != SUFFIX:
        raise UsageError(f"{path}: expected the name of a {SUFFIX} file for the baseline")
    results = [result for result in run.results if result.status == Status.OK]
    if not results:
        raise UsageError(f"{run.source}: has no computed cell; a baseline needs one")
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [
        predictions[COLUMNS].assign(key=result.key)
        for result in results
        if (predictions := run.predictions(result.key)) is not None
    ]
    if tables:
        pd.concat(tables).to_parquet(path.with_suffix(".parquet").absolute(), index=False, compression="zstd")
    write_results(path, results)
