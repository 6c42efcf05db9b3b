"""Results to compare later ones with: of a run's folder, or of two files that are kept in git.

NAME.jsonl holds lines as results.jsonl does, and NAME.parquet beside it what the cells predicted: the columns
key, clip, group, y_true, y_pred. Without the latter, scores are compared by the spread of their folds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.errors import UsageError
from bench.store import Store, read_results, write_results
from bench.types import Result, Status

SUFFIX = ".jsonl"
KEPT = ["clip", "group", "y_true", "y_pred"]


@dataclass(frozen=True, slots=True)
class Side:
    """One of two sets of results.

    Parameters
    ----------
    source : Path
        The file or folder that they are of.
    predictions : Callable[[str], pd.DataFrame | None]
        Key -> predictions; None where they are not kept.
    """

    source: Path
    results: Sequence[Result]
    predictions: Callable[[str], pd.DataFrame | None]


def side(place: Path) -> Side:
    """Return the results of a run's folder, or of a baseline's file.

    Raises
    ------
    UsageError
        If there is neither.
    """
    if place.is_dir():
        store = Store(place)
        return Side(place, store.planned(), store.predictions)
    if not place.is_file():
        raise UsageError(f"{place}: does not exist; expected a baseline's {SUFFIX} file, or a run's folder")
    beside = place.with_suffix(".parquet").absolute()
    tables = dict(iter(pd.read_parquet(beside).groupby("key"))) if beside.is_file() else {}
    return Side(place, list(read_results(place).values()), tables.get)


def joined(sides: Sequence[Side]) -> Side:
    """Return the results of several runs as one; of equal keys the first counts."""
    found: dict[str, tuple[Result, Side]] = {}
    for side in sides:
        for result in side.results:
            found.setdefault(result.key, (result, side))
    results = [result for result, _ in found.values()]
    return Side(sides[0].source, results, lambda key: found[key][1].predictions(key))


def write(run: Side, path: Path) -> None:
    """Write a run's computed cells as a baseline.

    Raises
    ------
    UsageError
        If the path has another suffix, or no cell was computed.
    """
    if path.suffix != SUFFIX:
        raise UsageError(f"{path}: expected the name of a {SUFFIX} file for the baseline")
    done = [result for result in run.results if result.status == Status.OK]
    if not done:
        raise UsageError(f"{run.source}: has no computed cell; a baseline needs one")
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [
        predictions[KEPT].assign(key=result.key)
        for result in done
        if (predictions := run.predictions(result.key)) is not None
    ]
    if tables:
        pd.concat(tables).to_parquet(path.with_suffix(".parquet").absolute(), index=False, compression="zstd")
    write_results(path, done)
