"""Labelled: the chunks of an index that have a label, and the scores of their neighbours.

Conventions: the clip of a chunk is never among its neighbours. Neighbours are exact, whatever the engine
of the index; of equal similarities, the smaller id comes first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.metrics import rankings
from bench.metrics.base import Bools, Codes, Floats
from bench.retrieval.engines.exact import rows_of
from bench.retrieval.snapshot import Snapshot
from bench.types import Embeddings
from bench.types.retrieval import Ids

BLOCK = 2**22
"""Largest number of similarities that are sorted together, of 8 bytes each."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Scores of the neighbours of queries, and what they were drawn from.

    Parameters
    ----------
    scores : Mapping[str, Floats]
        Metric -> score of every query, shape=(n_queries,); see `metrics.rankings`.
    n_relevant, n_candidates : Codes
        Number of possible neighbours with the label of the query, and of all, shape=(n_queries,).
    """

    scores: Mapping[str, Floats]
    n_relevant: Codes
    n_candidates: Codes


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """The chunks with a label, in the order of their ids.

    Parameters
    ----------
    vectors : Embeddings, shape=(n, dim)
    label, file : Codes
        As numbers from 0, shape=(n,).
    groups : Mapping[str, Codes]
        Label column -> value as a number from 0, -1 where a clip has none, shape=(n,).
    """

    vectors: Embeddings
    label: Codes
    file: Codes
    groups: Mapping[str, Codes]

    @classmethod
    def of(
        cls, snapshot: Snapshot, label: str, columns: Iterable[str], allowed: Ids | None = None
    ) -> Labelled:
        """Return the chunks of the clips that have a label.

        Parameters
        ----------
        columns : Iterable[str]
            Columns of `groups`.
        allowed : Ids | None
            Clips that take part; None for all.
        """
        values = _values(snapshot, label)
        if allowed is not None:
            values = {file: values[file] for file in allowed.tolist() if file in values}
        ids = snapshot.chunks_of(values)
        files = snapshot.files_of(ids.tolist())
        return cls(
            vectors=rows_of(snapshot.vectors, ids),
            label=_codes(values, files),
            file=np.unique(files, return_inverse=True)[1],
            groups={name: _codes(_values(snapshot, name), files) for name in dict.fromkeys(columns)},
        )

    def counts(self, excluded: Sequence[str]) -> Codes:
        """Return the number of possible neighbours of every chunk that have its label.

        Parameters
        ----------
        excluded : Sequence[str]
            Columns in which a neighbour differs.
        """
        columns = [self.file, *(self.groups[name] for name in dict.fromkeys(excluded))]
        counts = np.zeros(len(self.label), np.intp)
        # By inclusion and exclusion: comparing every chunk with every other one takes hours of a million.
        for n_shared in range(len(columns) + 1):
            for shared in itertools.combinations(columns, n_shared):
                counts += (-1) ** n_shared * _n_alike(self.label, shared)
        return counts

    def neighbours(self, queries: Codes, excluded: Sequence[str], k: int) -> Neighbours:
        """Return the scores of the neighbours of some chunks, each of which has one with its label.

        Parameters
        ----------
        queries : Codes
            Rows of the chunks.
        excluded : Sequence[str]
            Columns in which a neighbour differs.
        k : int
            Number of neighbours of ``recall@K``.
        """
        parts = []
        for part in self._blocks(queries):
            is_excluded = self._is_excluded(part, excluded)
            same = self._same(part, is_excluded)
            n_relevant = same.sum(axis=1)
            depth = max(int(n_relevant.max()), k)
            nearest = _nearest(self.vectors[part] @ self.vectors.T, is_excluded, depth)
            relevant = np.take_along_axis(same, nearest, axis=1)
            scores = {
                "map@r": rankings.average_precision_at_r(relevant, n_relevant),
                "r_precision": rankings.r_precision(relevant, n_relevant),
                "precision@1": rankings.precision_at_1(relevant),
                f"recall@{k}": rankings.recall_at_k(relevant, k),
            }
            parts.append(Neighbours(scores, n_relevant, (~is_excluded).sum(axis=1)))
        return Neighbours(
            {name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores},
            np.concatenate([part.n_relevant for part in parts]),
            np.concatenate([part.n_candidates for part in parts]),
        )

    def _blocks(self, rows: Codes) -> Iterator[Codes]:
        """Yield rows in blocks whose similarities to all chunks fit into memory."""
        size = max(1, BLOCK // max(1, len(self.label)))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]

    def _is_excluded(self, queries: Codes, columns: Sequence[str]) -> Bools:
        """Return whether a chunk is no possible neighbour, shape=(n_queries, n)."""
        mask = self.file == self.file[queries, None]
        for codes in (self.groups[name] for name in columns):
            mask |= (codes == codes[queries, None]) & (codes[queries, None] >= 0)
        return np.asarray(mask)

    def _same(self, queries: Codes, is_excluded: Bools) -> Bools:
        """Return whether a chunk is a possible neighbour with the label of a query, shape=(n_queries, n)."""
        return np.asarray((self.label == self.label[queries, None]) & ~is_excluded)


def _values(snapshot: Snapshot, column: str) -> Mapping[int, str]:
    """Return file -> value of a label column."""
    return dict(snapshot.connection.execute("SELECT file, value FROM labels WHERE name = ?", [column]))


def _codes(values: Mapping[int, str], files: Ids) -> Codes:
    """Return the value of every file as a number; -1 where it has none."""
    numbers = {value: number for number, value in enumerate(sorted(set(values.values())))}
    return np.array([numbers[values[file]] if file in values else -1 for file in files.tolist()], np.intp)


def _n_alike(label: Codes, shared: Sequence[Codes]) -> Codes:
    """Return the number of chunks with the label and the values of every chunk; 0 where it lacks a value."""
    codes, has_all = label, np.ones(len(label), bool)
    for column in shared:
        pairs = codes * (column.max(initial=0) + 2) + column + 1  # a number per pair of values
        codes = np.unique(pairs, return_inverse=True)[1]
        has_all &= column >= 0
    return np.asarray(np.where(has_all, np.bincount(codes)[codes], 0))


def _nearest(similarities: Embeddings, is_excluded: Bools, depth: int) -> Codes:
    """Return the columns of the largest similarities of every row, those that are excluded behind all others.

    A key holds the similarity in its upper half, as an integer with the same order, and the column in its
    lower half: that is faster than `np.argsort`, and equal similarities have one order.
    """
    bits = np.where(is_excluded, np.float32(np.inf), -similarities).view(np.int32)
    keys = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int64) << 32 | np.arange(bits.shape[1])
    if depth < keys.shape[1]:
        keys = np.partition(keys, depth, axis=1)[:, :depth]
    keys.sort(axis=1)
    return np.asarray(keys & 0xFFFFFFFF)
