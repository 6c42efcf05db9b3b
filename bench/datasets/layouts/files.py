"""Files without a table: one audio file, and a stream of paths."""

import os
import sys
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TextIO

import pandas as pd

from bench.datasets.layouts import manifest
from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.paths import path_of, path_text
from bench.types import Dataset

STREAM = "-"
"""What stands for standard input in place of a data set."""

SOURCE = "standard input"
"""Source of a stream, for messages."""

EXPECTED = f"expected a path a line: find FOLDER -name '*.wav' | bench ... {STREAM}"


def from_file(path: Path) -> Dataset:
    """Return the dataset of one audio file."""
    table = pd.DataFrame({"clip": [path_text(path.name)], "path": [path_text(path)]})
    return dataset(table, name=path.stem, source=str(path))


def from_stream(audio: Path | None = None) -> Dataset:
    """Return the dataset of the paths on standard input, one a line; blank lines do not count.

    Standard input is read once; another call returns the same dataset.

    Parameters
    ----------
    audio : Path | None
        Folder that relative paths start from; the working folder if None.

    Raises
    ------
    UsageError
        If there is no pipe, no path in it, or if a path is no file or a duplicate, with its line.
    """
    if sys.stdin is None or sys.stdin.isatty():  # a terminal would wait for somebody to type
        raise UsageError(f"{SOURCE}: is no pipe; {EXPECTED}")
    folder = audio or Path.cwd()
    paths = _paths(sys.stdin)
    if not paths:
        raise UsageError(f"{SOURCE}: holds no paths; {EXPECTED}")
    # Path.is_file raises for a long name.
    absent = [line for line, path in paths.items() if not os.path.isfile(path_of(str(folder / path)))]  # noqa: PTH113
    if absent:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise UsageError(f"{SOURCE}:{absent[0]}: {paths[absent[0]]}: is no file{more}; {EXPECTED}")
    index = pd.Index(list(paths), name="line")
    table = pd.DataFrame({"path": list(paths.values())}, index=index)
    return manifest.from_rows(table, Path.cwd() / "stdin", SOURCE, audio)


@lru_cache(maxsize=1)
def _paths(stream: TextIO) -> dict[int, str]:
    """Return number of a line -> its path, of all lines that are not blank."""
    lines = (os.fsdecode(line.rstrip(b"\r\n")) for line in stream.buffer)
    # `find .` writes ./a.wav for a.wav
    return {
        number: path_text(str(PurePath(line))) for number, line in enumerate(lines, start=1) if line.strip()
    }
