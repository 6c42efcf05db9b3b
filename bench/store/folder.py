"""Results and predictions on disk: append-only, versioned, whole after any kill.

OUT/results.jsonl holds a line per cell, of which the last one counts; OUT/predictions/KEY.parquet what each
cell predicted; OUT/run.json the newest run: its command, versions, plan and counters; OUT/report.json what
its leaderboard was made of; OUT/bad_clips.csv the clips that could not be decoded; OUT/labels/DATASET.parquet
the labels of every clip; and OUT/splits/DATASET.TASK.parquet each clip's content, label, fold and groups.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from bench.errors import UsageError
from bench.keys.fingerprints import fingerprint
from bench.request import recorded
from bench.store import schema
from bench.store.record import RunRecord
from bench.types import Result
from bench.validation import file_name

BAD_CLIP_COLUMNS = ["dataset", "clip", "reason"]


class Store:
    """The folder of one or more runs.

    Raises
    ------
    UsageError
        If `out` is a file.
    """

    def __init__(self, out: Path) -> None:
        if out.exists() and not out.is_dir():
            raise UsageError(f"{out}: is a file; expected a folder, or a name that is free")
        self.out = out
        self.results_path = out / "results.jsonl"
        self.run_path = out / "run.json"
        self.bad_clips_path = out / "bad_clips.csv"

    def open(self) -> None:
        """Make the folder ready to write, and cut off a line that a kill left torn.

        Raises
        ------
        UsageError
            If it cannot be written.
        """
        try:
            (self.out / "predictions").mkdir(parents=True, exist_ok=True)
            with self.results_path.open("ab+") as file:
                file.seek(0)
                whole = file.read().rfind(b"\n") + 1
                file.truncate(whole)
        except OSError as error:
            raise UsageError(f"{self.out}: cannot be written ({error.strerror})") from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make the folder ready to write, and keep other runs out of it meanwhile.

        Raises
        ------
        UsageError
            If it cannot be written, or another run is at it.
        """
        lock = FileLock(self.out / ".lock")
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UsageError(
                f"{self.out}: another run writes to it; wait until that has ended, or choose another --out"
            ) from error
        except OSError as error:
            raise UsageError(f"{self.out}: cannot be written ({error.strerror})") from error
        try:
            self.open()
            yield
        finally:
            lock.release()

    def results(self) -> Mapping[str, Result]:
        """Return key -> result, as `read_results` does; none of a folder without results."""
        return read_results(self.results_path) if self.results_path.is_file() else {}

    def broken_seals(self) -> list[int]:
        """Return the numbers of the lines of results.jsonl that are not as they were written."""
        lines = self.results_path.read_text(encoding="utf-8").split("\n")[:-1]
        return [number for number, line in enumerate(lines, 1) if line != schema.seal(schema.unseal(line))]

    def append(self, result: Result, predictions: pd.DataFrame | None = None) -> None:
        """Keep a result, its predictions first: a line never names predictions that are not there."""
        try:
            if predictions is not None:
                _replace_table(self.predictions_path(result.key), predictions)
                result = replace(result, predictions=fingerprint(predictions))
            with self.results_path.open("a", encoding="utf-8") as file:
                file.write(schema.line(result) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UsageError(
                f"{self.out}: cannot be written ({error.strerror}); nothing finished is lost"
            ) from error

    def predictions_path(self, key: str) -> Path:
        """Return where a cell's predictions are."""
        # Absolute, since pyarrow takes a relative path with a colon for a URL.
        return self.out.absolute() / "predictions" / f"{file_name(key, f'{self.out}: key')}.parquet"

    def models_path(self, key: str) -> Path:
        """Return the folder of a cell's fitted models."""
        return self.out / "models" / file_name(key, f"{self.out}: key")

    def predictions(self, key: str) -> pd.DataFrame:
        """Return a cell's predictions: clip, fold, y_true, y_pred and a column of scores per class."""
        return pd.read_parquet(self.predictions_path(key))

    def run(self) -> RunRecord:
        """Return the record of the newest run.

        Raises
        ------
        UsageError
            If the folder holds no run, or a damaged record.
        """
        try:
            content = json.loads(self.run_path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise UsageError(
                f"{self.out}: holds no run.json; expected the folder that `bench run --out` wrote"
            ) from error
        except ValueError as error:
            raise UsageError(f"{self.run_path}: no JSON ({error}); run the same command again") from error
        return schema.run_record(content, str(self.run_path))

    def planned(self) -> list[Result]:
        """Return the results of the newest run's cells, in the order of its plan."""
        results = self.results()
        return [results[key] for key in self.run().cells if key in results]

    def write_run(self, run: RunRecord) -> None:
        """Replace the record of the newest run."""
        content = {**asdict(run), "request": recorded(run.request)}
        _replace_json(self.run_path, content)

    def report(self) -> Mapping[str, Any] | None:
        """Return what the newest report is made of, its text and its paths; None if there is none."""
        path = self.out / "report.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def write_report(self, report: Mapping[str, Any]) -> None:
        """Replace the content of the newest report."""
        _replace_json(self.out / "report.json", report)

    def labels(self, dataset: str) -> pd.DataFrame:
        """Return the labels of a dataset of the newest run: `clip` and its label columns."""
        return pd.read_parquet(self._labels_path(dataset))

    def write_labels(self, dataset: str, table: pd.DataFrame) -> None:
        """Replace the labels of a dataset."""
        _replace_table(self._labels_path(dataset), table)

    def split(self, dataset: str, task: str) -> pd.DataFrame:
        """Return the split that was used: `clip`, `content`, `y`, `fold`, and a ``group COLUMN`` of each."""
        return pd.read_parquet(self._split_path(dataset, task))

    def write_split(self, dataset: str, task: str, table: pd.DataFrame) -> None:
        """Replace the split of a task on a dataset."""
        _replace_table(self._split_path(dataset, task), table)

    def _split_path(self, dataset: str, task: str) -> Path:
        name = file_name(f"{dataset}.{task.replace('/', '.')}", f"{self.out}: split")
        return self.out.absolute() / "splits" / f"{name}.parquet"

    def _labels_path(self, dataset: str) -> Path:
        return self.out.absolute() / "labels" / f"{file_name(dataset, f'{self.out}: data set')}.parquet"

    def bad_clips(self) -> pd.DataFrame:
        """Return the clips that could not be decoded, with the columns dataset, clip, reason."""
        if not self.bad_clips_path.is_file():
            return pd.DataFrame(columns=BAD_CLIP_COLUMNS)
        return pd.read_csv(self.bad_clips_path, dtype=str, keep_default_na=False)

    def write_bad_clips(self, dataset: str, reasons: Mapping[str, str]) -> None:
        """Replace the bad clips of a dataset; `reasons` is clip -> reason."""
        earlier = self.bad_clips()
        rows: Sequence[tuple[str, str, str]] = [(dataset, clip, reason) for clip, reason in reasons.items()]
        table = pd.concat(
            [earlier[earlier["dataset"] != dataset], pd.DataFrame(rows, columns=BAD_CLIP_COLUMNS)]
        )
        if len(table) or len(earlier):
            with _replacing(self.bad_clips_path) as part:
                table.to_csv(part, index=False)


def read_results(path: Path) -> dict[str, Result]:
    """Return key -> result, the last line of each key; a torn last line is left out.

    Raises
    ------
    UsageError
        If a line is damaged, or of a newer schema.
    """
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    results = (schema.result(line, f"{path}:{number}") for number, line in enumerate(lines, start=1))
    return {result.key: result for result in results}


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write results as `read_results` reads them."""
    with _replacing(path) as part:
        lines = [schema.line(result) + "\n" for result in results]
        part.write_text("".join(lines), encoding="utf-8")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a file to write beside a path, and put it there when it is whole."""
    part = path.with_suffix(".part")
    yield part
    part.replace(path)


def _replace_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON file on disk."""
    with _replacing(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _replace_table(path: Path, table: pd.DataFrame) -> None:
    """Replace a table on disk."""
    path.parent.mkdir(exist_ok=True)
    with _replacing(path) as part:
        table.to_parquet(part, index=False)
