"""Results to compare a run with: another run's folder, or two files in git.

NAME.jsonl holds lines as results.jsonl does. NAME.parquet beside it holds the predictions, with the columns
key, clip, group, y_true, y_pred; without it, scores are compared by the spread of their folds.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench import display
from bench.errors import UsageError
from bench.files import read_table, replace_table
from bench.metrics import METRICS, Predicted
from bench.sharing import without_folders
from bench.store import Store, read_results, write_results
from bench.store.folder import PREDICTION_COLUMNS as COLUMNS
from bench.types import Result, Status

SUFFIX = ".jsonl"

TOLERANCE = 1e-9
"""Largest difference of a stored score from that of its predictions; machines round the last digits."""


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
        If there is no such folder or file, or a file in it is damaged; of a baseline also if its two files
        do not belong together: other clips, or scores that the predictions do not give. Reading the
        predictions of a run raises it if they are not the scored ones.
    """
    if source.is_dir():
        store = Store(source)
        results = without_folders(store.planned(), store.folders())  # a comparison is shown elsewhere
        by_key = {result.key: result for result in results}
        return Side(source, results, lambda key: store.scored_predictions(by_key[key]))
    if not source.is_file():
        raise UsageError(f"{source}: does not exist; expected a baseline's {SUFFIX} file, or a run's folder")
    results = list(read_results(source).values())
    predictions = _stored_predictions(source, results)
    _check_scores(source, results, predictions)
    return Side(source, results, predictions.get)


def _stored_predictions(source: Path, results: Sequence[Result]) -> Mapping[str, pd.DataFrame]:
    """Return key -> predictions of a baseline; none if it holds only scores.

    Raises
    ------
    UsageError
        If the file of the predictions is damaged, or holds other cells or clips than the results.
    """
    path = source.with_suffix(".parquet")
    if not path.is_file():
        return {}
    fix = f"restore it, or delete {source} and write both with `bench compare {source} OUT --update`"
    table = read_table(path, fix)
    missing = [column for column in ("key", *COLUMNS) if column not in table]
    if missing:
        raise UsageError(f"{path}: has no column {', '.join(missing)}; {fix}")
    tables = {str(key): cell for key, cell in table.groupby("key")}
    for result in results:
        n_clips = len(tables.get(result.key, ()))
        if result.status == Status.OK and n_clips != result.n_test:
            raise UsageError(
                f"{path}: holds {n_clips} clips of cell {result.key}, which was tested on {result.n_test} in "
                f"{source}; {fix}"
            )
    return tables


def _check_scores(source: Path, results: Sequence[Result], predictions: Mapping[str, pd.DataFrame]) -> None:
    """Compute the scores of labels over clips again from the stored predictions.

    Raises
    ------
    UsageError
        If a stored score is another one.
    """
    for result in results:
        if result.key not in predictions:
            continue
        predicted = Predicted.of(predictions[result.key])
        for score in result.scores:
            metric = METRICS.get(score.metric)
            if metric is None or metric.origin or metric.needs != "labels" or score.level != "clip":
                continue
            value = metric.score(predicted)
            if not math.isclose(value, score.value, rel_tol=0, abs_tol=TOLERANCE):
                raise UsageError(
                    f"{source}: {score.metric} of {display.cell(result)} is {score.value:.6f}, and "
                    f"{value:.6f} by the predictions in {source.with_suffix('.parquet').name}; restore both, "
                    f"or delete {source} and write both with `bench compare {source} OUT --update`"
                )


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
    # A reason, of why models were not saved, is a matter of the run's own folder.
    results = [replace(result, reason="") for result in run.results if result.status == Status.OK]
    if not results:
        raise UsageError(f"{run.source}: has no computed cell; a baseline needs one")
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = [
        predictions[COLUMNS].assign(key=result.key)
        for result in results
        if (predictions := run.predictions(result.key)) is not None
    ]
    if tables:
        replace_table(path.with_suffix(".parquet"), pd.concat(tables), compression="zstd")
    write_results(path, results)
