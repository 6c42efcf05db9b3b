"""Verification: whether vectors and metadata of an index agree, and are what was added."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.retrieval.snapshot import Snapshot
from bench.retrieval.vectors import checksums
from bench.types.retrieval import Ids

BLOCK = 4096
"""Vectors that are compared at a time."""

Words = Literal["whole", "damaged", "unchecked"]
"""State of the full-text index; a folder that cannot be written leaves it unchecked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verification:
    """What the check of an index came to.

    Parameters
    ----------
    n_files, n_chunks, n_removed : int
        Numbers of files, of chunks that are there, and of removed ones.
    n_to_erase : int
        Removed chunks whose vectors the next writer overwrites; no fault.
    changed : Ids
        Chunks whose vectors are not those that were added.
    stray : Ids
        Rows of vectors without a chunk, chunks without a row, and chunks that are there and removed.
    legible : Ids
        Removed chunks whose vectors should be zeros and are not.
    faults : Sequence[str]
        What SQLite's own checks say of the database.
    """

    n_files: int
    n_chunks: int
    n_removed: int
    n_to_erase: int
    changed: Ids
    stray: Ids
    legible: Ids
    faults: Sequence[str]
    words: Words

    @property
    def is_whole(self) -> bool:
        """Return whether nothing is wrong."""
        n_wrong = len(self.changed) + len(self.stray) + len(self.legible) + len(self.faults)
        return n_wrong == 0 and self.words != "damaged"


def verification(snapshot: Snapshot, words: Words) -> Verification:
    """Return the check of a state of an index, whose full-text index has been checked.

    Raises
    ------
    sqlite3.DatabaseError
        If the database cannot be read.
    """
    connection = snapshot.connection
    chunks = snapshot.column("SELECT id FROM chunks")
    removed = snapshot.column("SELECT id FROM removed")
    erased = snapshot.column("SELECT id FROM removed WHERE is_erased")
    ids, n_times = np.unique(np.concatenate([chunks, removed]), return_counts=True)
    rows = np.arange(len(snapshot.vectors))
    return Verification(
        n_files=connection.execute("SELECT count(*) FROM files").fetchone()[0],
        n_chunks=len(chunks),
        n_removed=len(removed),
        n_to_erase=len(removed) - len(erased),
        changed=_changed(snapshot),
        stray=np.union1d(np.setxor1d(ids, rows), ids[n_times > 1]),
        legible=np.array(
            [id_ for id_ in np.intersect1d(erased, rows) if snapshot.vectors[id_].any()], np.int64
        ),
        faults=[*_faults(connection)],
        words=words,
    )


def _changed(snapshot: Snapshot) -> Ids:
    """Return the chunks whose vectors differ from those that were added."""
    changed: list[int] = []
    rows = snapshot.connection.execute(
        "SELECT id, checksum FROM chunks WHERE id < ?", [len(snapshot.vectors)]
    )
    while block := rows.fetchmany(BLOCK):
        actual = zip(block, checksums(snapshot.vectors[[id_ for id_, _ in block]]), strict=True)
        changed += [id_ for (id_, expected), checksum in actual if checksum != expected]
    return np.array(changed, np.int64)


def _faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield what SQLite finds wrong."""
    for (text,) in connection.execute("PRAGMA integrity_check"):
        if text != "ok":
            yield text
    for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"row {row} of {table} belongs to no row of {parent}"
