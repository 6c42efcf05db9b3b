"""Snapshots: one state of an index, read while others write."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from bench.retrieval.filters import Filter
from bench.retrieval.metadata import array
from bench.retrieval.records import Caption, CaptionKind, File, Hit
from bench.retrieval.vectors import remaining
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

CHUNKS = """
SELECT chunks.id, chunks.file, clip, path, chunks.start, "end", cluster, title
FROM chunks JOIN files ON files.id = chunks.file
LEFT JOIN clusters ON clusters.file = files.id LEFT JOIN titles USING (cluster)
WHERE chunks.id IN (SELECT value FROM json_each(?))"""


class Snapshot:
    """One state of an index.

    Parameters
    ----------
    connection : sqlite3.Connection
        In a transaction that reads.
    vectors : Embeddings, shape=(n_rows, dim)
        Rows of removed chunks are there too.
    """

    def __init__(self, connection: sqlite3.Connection, vectors: Embeddings) -> None:
        self.connection = connection
        self.vectors = vectors

    @cached_property
    def ids(self) -> Ids:
        """Return the ids of the chunks that are there, ascending."""
        return remaining(len(self.vectors), self.column("SELECT id FROM removed"))

    @cached_property
    def n_files(self) -> int:
        """Return the number of files."""
        return int(self.connection.execute("SELECT count(*) FROM files").fetchone()[0])

    @cached_property
    def columns(self) -> Sequence[str]:
        """Return the label columns, sorted."""
        # Skips from name to name in the index of labels, where DISTINCT reads all of it.
        rows = self.connection.execute(
            "WITH RECURSIVE names (name) AS (SELECT min(name) FROM labels UNION ALL "
            "SELECT (SELECT min(name) FROM labels WHERE name > names.name) FROM names "
            "WHERE name IS NOT NULL) "
            "SELECT name FROM names WHERE name IS NOT NULL"
        )
        return [name for (name,) in rows]

    def files(self, ids: Iterable[int] | None = None) -> list[File]:
        """Return files with their labels, in the order of their ids; None for all."""
        if ids is None:
            ids = self.column("SELECT id FROM files")
        labels = self._labels(ids)
        select = (
            "SELECT id, dataset, clip, path, content, start, seconds FROM files "
            "WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"
        )
        return [
            File(id_, dataset, clip, path, content, start, seconds, labels[id_])
            for id_, dataset, clip, path, content, start, seconds in self._rows(select, ids)
        ]

    def captions(self, files: Iterable[int], kinds: Collection[CaptionKind] = ()) -> list[Caption]:
        """Return the texts about files, those of some kinds or all, in the order of their ids."""
        select = (
            'SELECT file, kind, text, model, start, "end", id FROM captions '
            "WHERE file IN (SELECT value FROM json_each(?)) ORDER BY id"
        )
        captions = (Caption(*row) for row in self._rows(select, files))
        return [caption for caption in captions if not kinds or caption.kind in kinds]

    def hits(self, ids: Sequence[int] | Ids, scores: Sequence[float] | Scores) -> list[Hit]:
        """Return chunks with all that is known of their files, in the order of the ids.

        Raises
        ------
        KeyError
            If there is no chunk of an id.
        """
        rows = {row[0]: row for row in self._rows(CHUNKS, ids)}
        files = {row[1] for row in rows.values()}
        labels = self._labels(files)
        captions: Mapping[int, list[Caption]] = defaultdict(list)
        for caption in self.captions(files):
            captions[caption.file].append(caption)
        hits = []
        for id_, score in zip(map(int, ids), scores, strict=True):
            _, file, clip, path, start, end, cluster, title = rows[id_]
            known = labels[file], captions[file], cluster or "", title or ""
            hits.append(Hit(id_, file, clip, path, start, end, float(score), *known))
        return hits

    def matching(self, choice: Filter) -> Ids:
        """Return the files that a filter chooses, ascending.

        Raises
        ------
        UsageError
            If the filter has an unknown column, or compares a number with a text.
        """
        condition, values = choice.sql(self.columns)
        return self.column(f"SELECT id FROM files WHERE {condition}", values)  # noqa: S608 - parsed

    def allowed(self, choice: Filter) -> Ids:
        """Return the chunks of the files that a filter chooses, ascending; errors are those of `matching`."""
        condition, values = choice.sql(self.columns)
        join = "chunks JOIN files ON files.id = chunks.file"
        return self.column(f"SELECT chunks.id FROM {join} WHERE {condition}", values)  # noqa: S608 - parsed

    def column(self, select: str, values: Sequence[object] = ()) -> Ids:
        """Return the integers that a statement selects, ascending."""
        # As one text: a million objects of Python take three times as long.
        listed = f"WITH listed (value) AS ({select}) SELECT group_concat(value) FROM listed"  # noqa: S608
        (text,) = self.connection.execute(listed, values).fetchone()
        return np.sort(np.fromstring(text or "", np.int64, sep=","))

    def files_of(self, ids: Sequence[int] | Ids) -> Ids:
        """Return the file of each chunk; -1 where there is no such chunk."""
        file_of = dict(
            self._rows("SELECT id, file FROM chunks WHERE id IN (SELECT value FROM json_each(?))", ids)
        )
        return np.array([file_of.get(int(id_), -1) for id_ in ids], np.int64)

    def chunks_of(self, files: Iterable[int]) -> Ids:
        """Return the chunks of files, ascending."""
        select = "SELECT id FROM chunks WHERE file IN (SELECT value FROM json_each(?))"
        return self.column(select, [array(files)])

    def _rows(self, select: str, ids: Iterable[int]) -> Iterable[tuple[Any, ...]]:
        """Return the rows that a statement selects for ids."""
        return self.connection.execute(select, [array(ids)])

    def _labels(self, files: Iterable[int]) -> Mapping[int, Mapping[str, str]]:
        """Return file -> label column -> value."""
        labels: Mapping[int, dict[str, str]] = defaultdict(dict)
        select = (
            "SELECT file, name, value FROM labels WHERE file IN (SELECT value FROM json_each(?)) "
            "ORDER BY file, name"
        )
        for file, name, value in self._rows(select, files):
            labels[file][name] = value
        return labels
