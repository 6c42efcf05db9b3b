"""Search: what a user asks of an index -> hits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.errors import UsageError
from bench.inference.hearing import seconds_of
from bench.request import Search
from bench.retrieval import selection
from bench.retrieval.chunks import cut
from bench.retrieval.encoder import Encoder
from bench.retrieval.index import Index
from bench.retrieval.merging import ranked
from bench.retrieval.querying import NOBODY, Searcher
from bench.retrieval.records import Hit
from bench.retrieval.snapshot import Snapshot
from bench.types import Clip, Embeddings
from bench.types.retrieval import Ids


def by_id(index: Index, snapshot: Snapshot, search: Search) -> list[Hit]:
    """Return what is like a chunk; the clip that it belongs to is left out.

    Raises
    ------
    UsageError
        If there is no such chunk, its clip has no value in a column of `not_same`, or `where` is malformed.
    """
    id_ = -1 if search.id is None else search.id
    [file] = snapshot.files_of([id_])
    if file < 0:
        ids = snapshot.ids
        there = f"{len(ids)} ids from {ids[0]} to {ids[-1]}" if len(ids) else "an empty index"
        raise UsageError(f"--id {id_}: is no chunk of {index.path}; expected one of {there}")
    [clip] = snapshot.files([file])
    allowed = selection.chunks(snapshot, search.where, selection.values(clip, search.not_same, snapshot))
    return _hits(index, snapshot, snapshot.vectors[[id_]], search, allowed, snapshot.chunks_of([file]))


def by_audio(index: Index, snapshot: Snapshot, search: Search, encoder: Encoder, path: Path) -> list[Hit]:
    """Return what is like a recording of any length, which is cut as the clips of the index are.

    Raises
    ------
    ClipError
        If the recording cannot be read.
    UsageError
        If there is no such file, or it is to differ from hits in a label.
    """
    if search.not_same:
        raise UsageError(
            f"--not-same {','.join(search.not_same)}: a recording has no labels to differ in; write --where"
        )
    if not path.is_file():
        raise UsageError(f"--audio {path}: no such file")
    recording = Clip(id=str(path), path=path)
    chunks = cut(recording, seconds_of(recording), index.card.chunking)
    queries = index.normalisation.apply(encoder.vectors(chunks))
    return _hits(index, snapshot, queries, search, selection.chunks(snapshot, search.where))


def _hits(  # what to compare, and with what
    index: Index,
    snapshot: Snapshot,
    queries: Embeddings,
    search: Search,
    allowed: Ids | None,
    excluded: Ids = NOBODY,
) -> list[Hit]:
    """Return the hits of a query's vectors."""
    searcher = Searcher(index, snapshot)
    ids, scores = ranked(searcher, np.asarray(queries), search.k, search.merge, allowed, excluded)
    return snapshot.hits(ids.tolist(), scores.tolist())
