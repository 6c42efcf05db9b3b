"""Writers: changes of an index, each of which is there as a whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.errors import UsageError, reason
from bench.retrieval import vectors as rows
from bench.retrieval.card import IndexCard, write_card
from bench.retrieval.metadata import METADATA, array, explained, is_settled, primary_code, transaction
from bench.retrieval.records import Caption, Domain, Item, Title
from bench.types import Embeddings


class Writer:
    """Changes an index, of which there is one at a time.

    Every method is a transaction: after a kill, or an error, its changes are there as a whole or not at all.
    All of them raise a UsageError if the disk is full or cannot be written.

    Parameters
    ----------
    path : Path
        Folder of the index.
    card : IndexCard
    connection : sqlite3.Connection
    """

    def __init__(self, path: Path, card: IndexCard, connection: sqlite3.Connection) -> None:
        self.path = path
        self.card = card
        self.connection = connection
        self._vectors = path / rows.VECTORS
        self.erase()

    def add(self, items: Sequence[Item], vectors: Embeddings) -> range:
        """Add clips, and return the ids of their chunks.

        Parameters
        ----------
        vectors : Embeddings, shape=(n_chunks, dim)
            Unit vectors of all chunks, in the order of the items and their spans.

        Raises
        ------
        UsageError
            If a clip is in the index already, or the disk is full.
        ValueError
            If there are more or fewer vectors than chunks, or one is not finite.
        """
        n_chunks = sum(len(item.spans) for item in items)
        if not np.isfinite(vectors).all():
            raise ValueError("vectors: hold nan or infinity, expected finite numbers")
        if vectors.shape != (n_chunks, self.card.dim):
            raise ValueError(f"vectors: shape {vectors.shape}, expected {(n_chunks, self.card.dim)}")
        with self._transaction():
            (n_rows,) = self.connection.execute("SELECT n_rows FROM state").fetchone()
            try:
                rows.append(self._vectors, n_rows, vectors)
                self._insert(items, n_rows, rows.checksums(vectors))
            except BaseException as error:
                rows.truncate(self._vectors, n_rows, self.card.dim)
                if isinstance(error, OSError):
                    raise UsageError(
                        f"{self._vectors}: cannot be written ({reason(error)}); free or allow the disk; "
                        "the index is as it was"
                    ) from error
                raise
            self.connection.execute("UPDATE state SET n_rows = ?", [n_rows + n_chunks])
        return range(n_rows, n_rows + n_chunks)

    def remove(self, files: Iterable[int]) -> int:
        """Remove files with all that is known of them, and return the number of their chunks."""
        ids = [array(files)]
        with self._transaction():
            n_chunks = self.connection.execute(
                "INSERT INTO removed (id) SELECT id FROM chunks "
                "WHERE file IN (SELECT value FROM json_each(?))",
                ids,
            ).rowcount
            self.connection.execute("DELETE FROM files WHERE id IN (SELECT value FROM json_each(?))", ids)
        self.erase()
        return n_chunks

    def erase(self) -> None:
        """Overwrite the vectors of removed chunks, unless somebody reads a state in which they are there."""
        with explained(self.path / METADATA):
            select = "SELECT id FROM removed WHERE NOT is_erased"
            ids = [id_ for (id_,) in self.connection.execute(select)]
            if not ids or not is_settled(self.connection):
                return
            try:
                rows.erase(self._vectors, ids, self.card.dim)
            except OSError as error:
                raise UsageError(f"{self._vectors}: cannot be written ({reason(error)}); allow it") from error
            self.connection.execute("UPDATE removed SET is_erased = 1 WHERE NOT is_erased")

    def add_captions(self, captions: Sequence[Caption], replace: bool = True) -> None:
        """Add texts about files that are still there.

        Parameters
        ----------
        replace : bool
            Whether they replace those of the same file, kind and model.
        """
        with self._transaction():
            if replace:
                self.connection.executemany(
                    "DELETE FROM captions WHERE file = ? AND kind = ? AND model = ?",
                    {(caption.file, caption.kind, caption.model) for caption in captions},
                )
            self.connection.executemany(
                'INSERT INTO captions (file, start, "end", kind, text, model) '
                "SELECT id, ?, ?, ?, ?, ? FROM files WHERE id = ?",
                ((each.start, each.end, each.kind, each.text, each.model, each.file) for each in captions),
            )

    def set_domains(self, domains: Sequence[Domain]) -> None:
        """Set what files are that are still there; what the same models said of them before is replaced."""
        with self._transaction():
            self.connection.executemany(
                "DELETE FROM domains WHERE file = ? AND model = ?",
                {(domain.file, domain.model) for domain in domains},
            )
            self.connection.executemany(
                "INSERT INTO domains (file, domain, score, model) SELECT id, ?, ?, ? FROM files WHERE id = ?",
                ((each.domain, each.score, each.model, each.file) for each in domains),
            )

    def set_clusters(self, clusters: Mapping[int, str]) -> None:
        """Set the clusters of files that are still there; earlier clusters and their titles are gone."""
        with self._transaction():
            self.connection.execute("DELETE FROM titles")
            self.connection.execute("DELETE FROM clusters")
            self.connection.executemany(
                "INSERT INTO clusters (file, cluster) SELECT id, ? FROM files WHERE id = ?",
                ((cluster, file) for file, cluster in clusters.items()),
            )

    def set_titles(self, titles: Sequence[Title]) -> None:
        """Set the titles of clusters; those of the same clusters are replaced."""
        with self._transaction():
            self.connection.executemany(
                "INSERT OR REPLACE INTO titles (cluster, title, model) VALUES (?, ?, ?)",
                ((each.cluster, each.title, each.model) for each in titles),
            )

    def set_sentences(self, captions: Sequence[int], encoder: str, vectors: Embeddings) -> None:
        """Set the unit vectors that an encoder computed of captions that are still there.

        Parameters
        ----------
        vectors : Embeddings, shape=(n_captions, dim)
        """
        with self._transaction():
            self.connection.executemany(
                "INSERT OR REPLACE INTO sentences (caption, encoder, vector) "
                "SELECT id, ?, ? FROM captions WHERE id = ?",
                (
                    (encoder, vector.astype(rows.FLOAT).tobytes(), int(caption))
                    for caption, vector in zip(captions, vectors, strict=True)
                ),
            )

    def set_card(self, card: IndexCard) -> None:
        """Replace the card."""
        try:
            write_card(self.path, card)
        except OSError as error:
            raise UsageError(f"{self.path}: cannot be written ({reason(error)}); allow it") from error
        self.card = card

    def has_whole_words(self) -> bool:
        """Return whether the full-text index is that of the texts."""
        try:
            self.connection.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            if primary_code(error) == sqlite3.SQLITE_CORRUPT:
                return False
            raise
        return True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with explained(self.path / METADATA), transaction(self.connection):
            yield

    def _insert(self, items: Sequence[Item], first: int, checksums: Iterator[int]) -> None:
        """Insert files, labels and chunks, whose ids begin with `first`."""
        (last,) = self.connection.execute(
            "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'files'"
        ).fetchone()
        numbered = list(enumerate(items, last + 1))
        try:
            self.connection.executemany(
                "INSERT INTO files (id, dataset, clip, path, content, start, seconds) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (id_, item.dataset, item.clip, item.path, item.content, item.start, item.seconds)
                    for id_, item in numbered
                ),
            )
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                raise
            raise UsageError(f"{self.path}: a clip is in the index already; leave it out") from error
        self.connection.executemany(
            "INSERT INTO labels (file, name, value) VALUES (?, ?, ?)",
            ((id_, name, value) for id_, item in numbered for name, value in item.labels.items()),
        )
        spans = ((id_, start, end) for id_, item in numbered for start, end in item.spans)
        self.connection.executemany(
            'INSERT INTO chunks (id, file, start, "end", checksum) VALUES (?, ?, ?, ?, ?)',
            (
                (chunk, *span, checksum)
                for chunk, (span, checksum) in enumerate(zip(spans, checksums, strict=True), first)
            ),
        )
