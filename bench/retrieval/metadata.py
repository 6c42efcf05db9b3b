"""Metadata: the connections to the database of an index, and what its tables hold."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from importlib import resources
from pathlib import Path

from bench.errors import UsageError, message
from bench.retrieval.records import Item

METADATA = "metadata.sqlite"

WAIT_SECONDS = 5.0
"""Longest wait for a connection that opens the database, or repairs it after a kill, in s."""

CAUSES = {
    sqlite3.SQLITE_BUSY: "wait until others have written",
    sqlite3.SQLITE_CANTOPEN: "allow it, or restore it",
    sqlite3.SQLITE_CORRUPT: "it is damaged: restore it, or build the index again",
    sqlite3.SQLITE_FULL: "free space on the disk; the index is as it was",
    sqlite3.SQLITE_IOERR: "free or repair the disk; the index is as it was",
    sqlite3.SQLITE_NOTADB: "it is damaged: restore it, or build the index again",
    sqlite3.SQLITE_PERM: "allow it",
    sqlite3.SQLITE_READONLY: "allow writing",
}
"""Primary code of an error that is no bug -> what to do."""


def create(path: Path, index: str) -> None:
    """Write the database of an empty index with an id.

    Raises
    ------
    sqlite3.Error
        If it cannot be written.
    """
    schema = resources.files("bench.retrieval").joinpath("schema.sql").read_text(encoding="utf-8")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {schema}")
        connection.execute("INSERT INTO state VALUES (?, 0)", [index])
        connection.execute("COMMIT")


def reader(path: Path) -> sqlite3.Connection:
    """Return a connection that sees one state of the database and cannot change it.

    Raises
    ------
    sqlite3.Error
        If it cannot be read.
    """
    connection = _connection(path, "mode=ro")
    try:
        _begin(connection)
    except sqlite3.OperationalError as error:
        connection.close()
        # A folder that cannot be written has no room for SQLite's list of readers. Where there is no log of
        # changes, nobody writes, and the file is whole.
        wal = path.with_name(f"{path.name}-wal")
        if primary_code(error) != sqlite3.SQLITE_CANTOPEN or (wal.exists() and wal.stat().st_size):
            raise
        connection = _connection(path, "mode=ro&immutable=1")
        _begin(connection)
    return connection


def writer(path: Path) -> sqlite3.Connection:
    """Return a connection that changes the database; a change is on the disk when it is committed.

    Raises
    ------
    sqlite3.Error
        If it cannot be read.
    """
    connection = _connection(path, "mode=rw")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what is executed meanwhile, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends it itself when the disk is full
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn errors of the database into one line.

    Raises
    ------
    UsageError
        If the database is damaged, locked, cannot be written, or the disk is full.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        fix = CAUSES.get(primary_code(error))
        if fix is None:
            raise
        raise UsageError(f"{path}: cannot be used ({message(error)}); {fix}") from error


def is_settled(connection: sqlite3.Connection) -> bool:
    """Return whether nobody reads an earlier state of the database; it waits for no reader."""
    connection.execute("PRAGMA busy_timeout = 0")
    (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {1000 * WAIT_SECONDS:.0f}")
    return not is_busy


def primary_code(error: sqlite3.Error) -> int:
    """Return the code of an error without its details, such as ``sqlite3.SQLITE_FULL``."""
    return error.sqlite_errorcode & 0xFF


def array(ids: Iterable[int]) -> str:
    """Return ids as a parameter that ``SELECT value FROM json_each(?)`` takes, of any length."""
    return json.dumps([int(id_) for id_ in ids])


def missing(connection: sqlite3.Connection, items: Sequence[Item]) -> list[int]:
    """Return the positions of the clips that are not in the index, by their content and name."""
    select = "SELECT 1 FROM files WHERE content = ? AND clip = ?"
    return [
        position
        for position, item in enumerate(items)
        if connection.execute(select, [item.content, item.clip]).fetchone() is None
    ]


def _connection(path: Path, mode: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{mode}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=WAIT_SECONDS)


def _begin(connection: sqlite3.Connection) -> None:
    """Begin a transaction that reads, at the state of now; `conditions` need `casefold`."""
    connection.create_function("casefold", 1, str.casefold, deterministic=True)
    connection.execute("PRAGMA trusted_schema = OFF")  # no view or trigger of a foreign file calls functions
    connection.execute("PRAGMA query_only = ON")
    connection.execute("BEGIN")
    connection.execute("SELECT n_rows FROM state").fetchone()
