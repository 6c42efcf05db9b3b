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

import pandas as pd
from filelock import FileLock, Timeout

from bench.errors import UsageError, reason
from bench.files import (
    is_whole_table,
    parse_json,
    read_table,
    replace_table,
    replace_text,
    replacing,
    sha256,
    sync,
)
from bench.keys import digest
from bench.keys.fingerprints import fingerprint
from bench.request import recorded
from bench.sharing import parents
from bench.store import reports, schema, signature
from bench.store.lines import lines, results_of
from bench.store.record import ReportRecord, RunRecord
from bench.types import Result
from bench.validation import file_name

BAD_CLIP_COLUMNS = ["dataset", "clip", "reason"]

PREDICTION_COLUMNS = ["clip", "group", "y_true", "y_pred"]
"""Columns that predictions always have."""

AGAIN = "run the same command again"


class Store:
    """The folder of one or more runs.

    Parameters
    ----------
    name : str
        The folder as commands in reports name it; by default its path.

    Raises
    ------
    UsageError
        If `out` is a file.
    """

    def __init__(self, out: Path, name: str = "") -> None:
        if out.exists() and not out.is_dir():
            raise UsageError(f"{out}: is a file; expected a folder, or a name that is free")
        self.out = out
        self.name = name or str(out)
        self.results_path = out / "results.jsonl"
        self.run_path = out / "run.json"
        self.bad_clips_path = out / "bad_clips.csv"
        self.report_path = out / "report.json"
        self._last_read: tuple[object, dict[str, Result]] = (None, {})

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
            sync(self.out)
        except OSError as error:
            raise UsageError(f"{self.out}: cannot be written ({reason(error)})") from error

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
            raise UsageError(f"{self.out}: cannot be written ({reason(error)})") from error
        try:
            self.open()
            yield
        finally:
            lock.release()

    def results(self, *, sealed: bool = True) -> Mapping[str, Result]:
        """Return key -> result, the last line of each key; a torn last line is left out.

        Parameters
        ----------
        sealed : bool
            Whether to refuse a line that was changed after it was written.

        Raises
        ------
        UsageError
            If a line is damaged, changed, or of a newer schema.
        """
        if not self.results_path.is_file():
            return {}
        facts = self.results_path.stat()
        version = facts.st_size, facts.st_mtime_ns, sealed
        if self._last_read[0] != version:
            self._last_read = (
                version,
                results_of(lines(self.results_path)[:-1], self.results_path, sealed=sealed),
            )
        return self._last_read[1]

    def broken_seals(self) -> list[int]:
        """Return the numbers of the lines of results.jsonl that are not as they were written."""
        rows = enumerate(lines(self.results_path)[:-1], 1)
        return [number for number, line in rows if not schema.unseal(line)[1]]

    def append(self, result: Result, predictions: pd.DataFrame | None = None) -> None:
        """Keep a result, its predictions first: a line never names predictions that are not there."""
        try:
            if predictions is not None:
                replace_table(self.predictions_path(result.key), predictions)
                result = replace(result, predictions=fingerprint(predictions))
            with self.results_path.open("a", encoding="utf-8") as file:
                file.write(schema.line(result) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UsageError(
                f"{self.out}: cannot be written ({reason(error)}); nothing finished is lost"
            ) from error

    def predictions_path(self, key: str) -> Path:
        """Return where a cell's predictions are."""
        return self.out / "predictions" / f"{file_name(key, f'{self.out}: key')}.parquet"

    def models_path(self, key: str) -> Path:
        """Return the folder of a cell's fitted models."""
        return self.out / "models" / file_name(key, f"{self.out}: key")

    def models_digest(self, key: str) -> str:
        """Return a digest of the files of a cell's fitted models; empty if there are none."""
        folder = self.models_path(key)
        files = sorted(path for path in folder.glob("*") if path.is_file())
        return digest([[path.name, sha256(path)] for path in files]) if files else ""

    def predictions(self, key: str) -> pd.DataFrame:
        """Return a cell's predictions: clip, fold, y_true, y_pred and a column of scores per class.

        Raises
        ------
        UsageError
            If they are not there, or damaged.
        """
        path = self.predictions_path(key)
        return read_table(path, f"delete it and {AGAIN}" if path.exists() else AGAIN)

    def has_predictions(self, key: str) -> bool:
        """Return whether a cell's predictions are there and whole; their content is not read."""
        return is_whole_table(self.predictions_path(key))

    def scored_predictions(self, result: Result) -> pd.DataFrame:
        """Return the predictions that a result's scores come from.

        Raises
        ------
        UsageError
            If they are not there, damaged, or others than those.
        """
        table = self.predictions(result.key)
        if result.predictions:  # results of old versions do not name them
            are_scored = fingerprint(table) == result.predictions
        else:
            are_scored = set(PREDICTION_COLUMNS) <= set(table.columns) and len(table) == result.n_test
        if not are_scored:
            path = self.predictions_path(result.key)
            raise UsageError(f"{path}: holds other predictions than the scored ones; delete it and {AGAIN}")
        return table

    def run(self) -> RunRecord:
        """Return the record of the newest run.

        Raises
        ------
        UsageError
            If the folder holds no run, or a record that is damaged or lacks a required signature.
        """
        try:
            content = parse_json(self.run_path.read_bytes())
        except FileNotFoundError as error:
            raise UsageError(
                f"{self.out}: holds no run.json; expected the folder that `bench run --out` wrote"
            ) from error
        except ValueError as error:
            raise UsageError(f"{self.run_path}: no JSON ({error}); {AGAIN}") from error
        return schema.run_record(signature.unsigned(content, self.run_path), str(self.run_path))

    def folders(self) -> set[str]:
        """Return the folders of this machine and of the run's that its texts may name."""
        run, home = self.run(), str(Path("~").expanduser())
        return {run.folder, *run.folders, *parents(self.out, self.name), *({home} - {"/", "~"})}

    @property
    def is_signed(self) -> bool:
        """Return whether the record of the newest run is signed, with whatever key."""
        content = parse_json(self.run_path.read_bytes())
        return isinstance(content, dict) and "signature" in content

    def planned(self) -> list[Result]:
        """Return the results of the newest run's cells, in the order of its plan.

        Raises
        ------
        UsageError
            As of `run` and `results`; or if a cell of a finished run has no result.
        """
        run, results = self.run(), self.results()
        n_missing = len(set(run.cells) - results.keys())
        if run.finished and n_missing:
            raise UsageError(
                f"{self.results_path}: lacks {n_missing} of the {len(run.cells)} cells of its run; {AGAIN}"
            )
        return [results[key] for key in run.cells if key in results]

    def earlier(self) -> list[Result]:
        """Return the results of earlier runs that stand beside those of the newest one.

        Raises
        ------
        UsageError
            As of `run` and `results`.
        """
        results = self.results()
        return [results[key] for key in self.run().earlier if key in results]

    def write_run(self, run: RunRecord) -> None:
        """Replace the record of the newest run."""
        content = json.loads(json.dumps({**asdict(run), "request": recorded(run.request)}))
        content |= signature.sign("run", digest(content))
        replace_text(self.run_path, json.dumps(content, indent=2) + "\n")

    def report(self) -> ReportRecord | None:
        """Return the record of the newest report; None if there is none that is as it was written."""
        try:
            return reports.parse(self.report_path.read_bytes())
        except (OSError, ValueError):  # written again
            return None

    def write_report(self, report: ReportRecord) -> None:
        """Replace the record of the newest report."""
        replace_text(self.report_path, reports.text(report))

    def labels(self, dataset: str) -> pd.DataFrame:
        """Return the labels of a dataset of the newest run: `clip` and its label columns.

        Raises
        ------
        UsageError
            If they are not there, or damaged.
        """
        return read_table(self._labels_path(dataset), AGAIN)

    def write_labels(self, dataset: str, table: pd.DataFrame) -> None:
        """Replace the labels of a dataset."""
        _replace_in_folder(self._labels_path(dataset), table)

    def split(self, dataset: str, task: str, repeat: int = 0) -> pd.DataFrame:
        """Return the split that was used: `clip`, `content`, `y`, `fold`, and a ``group COLUMN`` of each.

        Parameters
        ----------
        repeat : int
            Number of the assignment of groups to folds.

        Raises
        ------
        UsageError
            If it is not there, or damaged.
        """
        return read_table(self._split_path(dataset, task, repeat), AGAIN)

    def write_split(self, dataset: str, task: str, table: pd.DataFrame, repeat: int = 0) -> None:
        """Replace the split of a task on a dataset."""
        _replace_in_folder(self._split_path(dataset, task, repeat), table)

    def _split_path(self, dataset: str, task: str, repeat: int) -> Path:
        end = f".repeat-{repeat}" if repeat else ""
        name = file_name(f"{dataset}.{task.replace('/', '.')}{end}", f"{self.out}: split")
        return self.out / "splits" / f"{name}.parquet"

    def _labels_path(self, dataset: str) -> Path:
        return self.out / "labels" / f"{file_name(dataset, f'{self.out}: data set')}.parquet"

    def bad_clips(self) -> pd.DataFrame:
        """Return the clips that could not be decoded, with the columns dataset, clip, reason.

        A file that cannot be read counts as absent: the clips of a dataset are listed when it is embedded.
        """
        try:
            table = pd.read_csv(self.bad_clips_path, dtype=str, keep_default_na=False)
        except (OSError, ValueError):
            table = pd.DataFrame()
        return table if list(table.columns) == BAD_CLIP_COLUMNS else pd.DataFrame(columns=BAD_CLIP_COLUMNS)

    def write_bad_clips(self, dataset: str, reasons: Mapping[str, str]) -> None:
        """Replace the bad clips of a dataset; `reasons` is clip -> reason."""
        earlier = self.bad_clips()
        rows: Sequence[tuple[str, str, str]] = [(dataset, clip, reason) for clip, reason in reasons.items()]
        table = pd.concat(
            [earlier[earlier["dataset"] != dataset], pd.DataFrame(rows, columns=BAD_CLIP_COLUMNS)]
        )
        if len(table) or len(earlier):
            with replacing(self.bad_clips_path) as part:
                table.to_csv(part, index=False)


def _replace_in_folder(path: Path, table: pd.DataFrame) -> None:
    """Replace a table, in a folder that may be missing."""
    path.parent.mkdir(exist_ok=True)
    replace_table(path, table)
