"""Index: the folder of an index, its readers and its writers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import UsageError, reason, shortlist
from bench.files import replacing, sync
from bench.retrieval import metadata
from bench.retrieval.card import CARD, IndexCard, read_card, write_card
from bench.retrieval.metadata import METADATA, explained
from bench.retrieval.normalisation import NORMALISATION, Normalisation
from bench.retrieval.snapshot import Snapshot
from bench.retrieval.vectors import VECTORS, checksums, mapped
from bench.retrieval.verification import Verification, Words, verification
from bench.retrieval.writer import Writer
from bench.types import Embeddings

LOCK = ".lock"

WAIT_SECONDS = 600
"""Longest wait of a writer for another, in s."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index in a folder.

    Parameters
    ----------
    path : Path
        Its folder.
    card : IndexCard
        As it was when the index was opened.
    """

    path: Path
    card: IndexCard

    @classmethod
    def create(cls, path: Path, card: IndexCard, normalisation: Normalisation | None = None) -> Index:
        """Return a new index without chunks.

        Parameters
        ----------
        normalisation : Normalisation | None
            That of its vectors; None for those that are only scaled to unit length.

        Raises
        ------
        UsageError
            If there is an index, if the folder holds other files, or if it cannot be written.
        """
        check_free(path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            sync(path.parent)
            with FileLock(path / LOCK, timeout=WAIT_SECONDS):
                check_free(path)  # another one may have created an index meanwhile
                _write(path, card, normalisation)
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written ({reason(error)}); expected another folder"
            ) from error
        return cls(path, card)

    @classmethod
    def open(cls, path: Path) -> Index:
        """Return the index in a folder.

        Raises
        ------
        UsageError
            If there is none, or if its card, metadata or vectors are damaged, missing, or another index's.
        """
        index = cls(path, read_card(path))
        with index.snapshot() as snapshot:
            (id_,) = snapshot.connection.execute("SELECT id FROM state").fetchone()
            if id_ != index.card.id:
                raise UsageError(
                    f"{path / METADATA}: belongs to another index than {CARD}; restore the whole folder"
                )
            if not _belongs(snapshot):
                raise UsageError(
                    f"{path / VECTORS}: holds other vectors than {METADATA} says; restore the whole folder"
                )
        return index

    @property
    def normalisation(self) -> Normalisation:
        """Return what makes unit vectors of the extractor's.

        Raises
        ------
        UsageError
            If its file is missing or damaged.
        """
        if self.card.normalisation == "none":
            return Normalisation.nothing(self.card.dim)
        return Normalisation.read(self.path / NORMALISATION, self.card.dim)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """Yield one state of the index; it waits for no writer, and no writer changes it.

        Raises
        ------
        UsageError
            If the metadata or vectors are damaged.
        """
        path = self.path / METADATA
        if not path.is_file():
            raise UsageError(f"{path}: is missing; restore it, or build the index again")
        with explained(path), closing(metadata.reader(path)) as connection:
            (n_rows,) = connection.execute("SELECT n_rows FROM state").fetchone()
            yield Snapshot(connection, self._vectors(n_rows))

    @contextmanager
    def writing(self, wait: float = WAIT_SECONDS) -> Iterator[Writer]:
        """Yield a writer when no other one writes.

        Parameters
        ----------
        wait : float
            Longest wait for another writer, in s.

        Raises
        ------
        UsageError
            If another one still writes, or the folder cannot be written.
        """
        lock = FileLock(self.path / LOCK)
        try:
            lock.acquire(timeout=wait)
        except Timeout as error:
            raise UsageError(f"{self.path}: another process writes to it; wait until it has ended") from error
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be written ({reason(error)}); allow it") from error
        path = self.path / METADATA
        try:
            with explained(path), closing(metadata.writer(path)) as connection:
                # The card may have been replaced while this one waited.
                yield Writer(self.path, read_card(self.path), connection)
        finally:
            lock.release()

    def verify(self) -> Verification:
        """Return the check of all vectors and metadata; vectors left by a killed `remove` are overwritten.

        Raises
        ------
        UsageError
            If the metadata cannot be read, or another one writes.
        """
        words: Words = "unchecked"
        if os.access(self.path, os.W_OK):
            with self.writing() as writer:
                words = "whole" if writer.has_whole_words() else "damaged"
        with self.snapshot() as snapshot:
            return verification(snapshot, words)

    def _vectors(self, n_rows: int) -> Embeddings:
        """Return the rows of vectors, shape=(n_rows, dim)."""
        path = self.path / VECTORS
        try:
            return mapped(path, n_rows, self.card.dim)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({reason(error)}); allow it, or restore it") from error
        except ValueError as error:
            size = path.stat().st_size
            raise UsageError(
                f"{path}: is truncated, {size} bytes for {n_rows} vectors of {self.card.dim}; "
                "restore it, or build the index again"
            ) from error


def _write(path: Path, card: IndexCard, normalisation: Normalisation | None) -> None:
    """Write the files of an index without chunks in place of those that a killed `create` left."""
    for name in _left(path) - {LOCK}:
        (path / name).unlink(missing_ok=True)
    (path / VECTORS).touch()
    sync(path / VECTORS)
    if normalisation:
        with replacing(path / NORMALISATION) as part:
            part.write_bytes(normalisation.content())
    with explained(path / METADATA):
        metadata.create(path / METADATA, card.id)
    write_card(path, card)  # last, as it makes the folder an index


def _belongs(snapshot: Snapshot) -> bool:
    """Return whether the first or the last chunk has the vector that was added; `verify` compares all."""
    ends = snapshot.connection.execute(
        "SELECT id, checksum FROM chunks "
        "WHERE id IN (SELECT min(id) FROM chunks UNION SELECT max(id) FROM chunks) AND id BETWEEN 0 AND ?",
        [len(snapshot.vectors) - 1],
    ).fetchall()
    vectors = snapshot.vectors[[id_ for id_, _ in ends]]
    actual = zip(checksums(vectors), ends, strict=True)
    return not ends or any(checksum == expected for checksum, (_, expected) in actual)


def check_free(path: Path) -> None:
    """Refuse a folder that holds an index or other files.

    Raises
    ------
    UsageError
        If it does, or cannot be read.
    """
    try:
        names = {each.name for each in path.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be used ({reason(error)}); expected an empty or a new folder"
        ) from error
    if CARD in names:
        raise UsageError(f"{path}: holds an index; add to it by `bench index add`, or choose another --to")
    if names - _left(path):
        raise UsageError(f"{path}: holds {shortlist(names - _left(path))}; expected an empty or a new folder")


def _left(path: Path) -> set[str]:
    """Return the names of the files that a killed `create` leaves in a folder."""
    patterns = (f"{METADATA}*", f"{NORMALISATION}*", f"{CARD}.*.part")
    return {each.name for pattern in patterns for each in path.glob(pattern)} | {VECTORS, LOCK}
