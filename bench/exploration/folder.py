"""Folder: the files of an exploration, and the record by which the next one knows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from bench.errors import UsageError, one_line, reason, shortlist
from bench.files import parse_json, replace_text, sha256
from bench.report.writers import csv
from bench.validation import convert

SCHEMA = 1
RECORD = "explore.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What an exploration wrote.

    Parameters
    ----------
    command : str
        Command line or call.
    files : Mapping[str, str]
        Path in the folder -> SHA-256 of the file.
    """

    schema: int
    command: str
    files: Mapping[str, str]


class Folder:
    """The folder of an exploration; files of others in it are never replaced.

    Raises
    ------
    UsageError
        If it cannot be a folder, or its record is damaged.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        if out.exists() and not out.is_dir():
            raise UsageError(f"--out {out}: is a file; expected a folder")
        self._earlier = _earlier(out / RECORD)
        self._paths: list[str] = []

    def check(self, names: Sequence[str]) -> None:
        """Refuse a folder that cannot be written, and files that an earlier exploration did not write.

        Raises
        ------
        UsageError
            If there is a file of one of the names, or no folder can be there.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"--out {self.out}: cannot be written ({reason(error)}); expected another folder"
            ) from error
        earlier = {Path(path).parts[0] for path in self._earlier}
        self._refuse([name for name in names if name not in earlier and (self.out / name).is_file()])

    def path(self, name: str) -> Path:
        """Return the path of a file to write, and note it for the record.

        Raises
        ------
        UsageError
            If there is such a file that no exploration wrote.
        """
        path = self.out / name
        if path.exists() and name not in self._earlier and name not in self._paths:
            self._refuse([name])
        path.parent.mkdir(parents=True, exist_ok=True)
        self._paths.append(name)
        return path

    def _refuse(self, foreign: Sequence[str]) -> None:
        """Refuse a folder with files of others in places of an exploration."""
        if foreign:
            raise UsageError(
                f"--out {self.out}: holds {shortlist(foreign)}, which no exploration wrote; "
                "expected another folder"
            )

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write a table as CSV that a spreadsheet shows and does not compute."""
        replace_text(self.path(name), csv.text(table))

    def finish(self, command: str) -> list[Path]:
        """Write the record, remove files of the earlier exploration that this one lacks; return all paths."""
        files = {name: sha256(self.out / name) for name in self._paths}
        for name, expected in self._earlier.items():
            path = self.out / name
            if name not in files and path.is_file() and sha256(path) == expected:
                path.unlink()
                if path.parent != self.out and not any(path.parent.iterdir()):
                    path.parent.rmdir()
        self._record(command, files)
        return [self.out / name for name in (*self._paths, RECORD)]

    def interrupt(self, command: str) -> None:
        """Write the record of an exploration that ended early, so that the next one may replace its files."""
        files = {name: sha256(self.out / name) for name in self._paths if (self.out / name).is_file()}
        if files:
            self._record(command, {**self._earlier, **files})

    def _record(self, command: str, files: Mapping[str, str]) -> None:
        """Write which files are those of explorations."""
        record = Record(schema=SCHEMA, command=command, files=files)
        text = json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n"
        replace_text(self.out / RECORD, text)


def _earlier(path: Path) -> Mapping[str, str]:
    """Return the files of a record; none without a record."""
    if not path.exists():
        return {}
    try:
        fields = parse_json(path.read_bytes())
    except ValueError as error:
        raise UsageError(f"{path}: is damaged ({one_line(error)}); delete the folder") from error
    files = convert(fields, Record, str(path)).files
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise UsageError(f"{path}: names {name!r}; expected a path in its folder; delete the file")
    return files
