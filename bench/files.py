"""Files on disk: replaced so that a power loss leaves the old or the new content, and read strictly."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.errors import UsageError, one_line, readable, reason

if TYPE_CHECKING:
    import pandas as pd

PARQUET = b"PAR1"
"""First and last bytes of a Parquet file."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a file to write beside a path; put it there, and on the disk, when it is whole.

    Raises
    ------
    OSError
        If the file or its folder cannot be written; the path is as it was.
    """
    # Its own name in every process, since several runs may save the same index.
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield part
        sync(part)
        part.replace(path)
        sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def link(path: Path, folder: Path) -> None:
    """Make a path a link to a folder, or a copy where the system makes no links; an earlier link is replaced.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
    try:
        path.symlink_to(folder.resolve(), target_is_directory=True)
    except (OSError, NotImplementedError):  # as Windows without its developer mode
        shutil.copytree(folder, path)


def replace_text(path: Path, text: str) -> None:
    """Replace a text file as `replacing` does; bytes of file names that are no UTF-8 are escaped."""
    with replacing(path) as part:
        part.write_text(readable(text), encoding="utf-8")


def indented_json(value: object) -> str:
    """Return a value as JSON with an entry a line, and a line break at the end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def replace_table(path: Path, table: pd.DataFrame, **options: Any) -> None:
    """Replace a Parquet file as `replacing` does, with checksums; `options` are those of `to_parquet`."""
    # An open file, since pyarrow takes a path with a colon for a URL, and none that is no UTF-8.
    with replacing(path) as part, part.open("wb") as file:
        table.to_parquet(file, index=False, write_page_checksum=True, **options)


def read_table(path: Path, fix: str) -> pd.DataFrame:
    """Return the table of a Parquet file.

    Parameters
    ----------
    fix : str
        What to do about a file that cannot be read, for the message.

    Raises
    ------
    UsageError
        If there is no such file, or it is damaged.
    """
    import pandas as pd  # `bench list` reads no tables
    import pyarrow as pa

    try:
        with path.open("rb") as file:
            return pd.read_parquet(file, page_checksum_verification=True)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: does not exist; {fix}") from error
    except (OSError, ValueError, KeyError, TypeError, MemoryError, pa.ArrowException) as error:
        raise UsageError(f"{path}: cannot be read ({one_line(error)[:200]}); {fix}") from error


def is_whole_table(path: Path) -> bool:
    """Return whether a Parquet file begins and ends as one; its content is not read."""
    try:
        with path.open("rb") as file:
            start = file.read(len(PARQUET))
            size = file.seek(-len(PARQUET), os.SEEK_END)
            return size > len(PARQUET) and start == file.read() == PARQUET
    except OSError:
        return False


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex digits.

    Raises
    ------
    UsageError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({reason(error)}); allow it, or restore it") from error


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name != "posix":  # only POSIX opens folders
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def parse_json(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    ValueError
        If it is no UTF-8 or no JSON, is nested too deeply, names a key twice, or holds a number that is not
        finite.

    Examples
    --------
    >>> parse_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: key 'a' is there twice
    """
    # Editors put a mark of the encoding at the beginning.
    text = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant
        )
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key '{max(names, key=names.count)}' is there twice")
    return value


def _finite(digits: str) -> float:
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        _refuse_constant(digits)
    return number


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no finite number")
