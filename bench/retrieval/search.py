"""Search: what a user asks of an index -> hits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench import audio, paths
from bench.catalog import Registry
from bench.errors import UsageError
from bench.request import Request, Search
from bench.retrieval import selection, sentences
from bench.retrieval.chunks import cut
from bench.retrieval.encoder import Encoder, encoder_of_index
from bench.retrieval.filters import Filter
from bench.retrieval.index import Index
from bench.retrieval.merging import ranked
from bench.retrieval.querying import NOBODY, Searcher
from bench.retrieval.records import Hit
from bench.retrieval.snapshot import Snapshot
from bench.retrieval.texts import search_text
from bench.types import Clip, Embeddings
from bench.types.retrieval import Ids

if TYPE_CHECKING:
    from bench.retrieval.evaluation import Evaluation

ASKED = ("id", "audio", "text", "evaluate")
"""Fields of a search, of which one says what to look for."""


def hits(
    index: Index, search: Search, declared: Registry, *, device: str = "auto", weights: str = ""
) -> list[Hit]:
    """Return what an index has that is like a chunk, a recording or a text, the best first.

    Parameters
    ----------
    device, weights : str
        Of the extractor, for a recording; see `encoder_of_index`.

    Raises
    ------
    ClipError
        If the recording cannot be read.
    UsageError
        If none or several of `id`, `audio` and `text` are given, or one of them does not fit the index.
    """
    check(search)
    with index.snapshot() as snapshot:
        if search.id is not None:
            return by_id(index, snapshot, search)
        if search.text and (search.sentences or not index.card.is_joint):
            return by_text(snapshot, search)
        encoder = encoder_of_index(index, Request(home=paths.home(), device=device), declared, weights)
        if search.text:
            return by_description(index, snapshot, search, encoder)
        return by_audio(index, snapshot, search, encoder)


def check(search: Search) -> None:
    """Refuse a search that asks for nothing, for several things at once, or for no hits.

    Raises
    ------
    UsageError
        If none or several of `ASKED` are given, or `k` is below 1.
    """
    if search.k < 1:
        raise UsageError(f"-k {search.k}: expected at least 1")
    asked = [f"--{name}" for name in ASKED if getattr(search, name) not in {None, ""}]
    if len(asked) != 1:
        raise UsageError(
            f"{' and '.join(asked) or 'search'}: expected one of --id, --audio, --text and --evaluate"
        )


def evaluation(index: Index, search: Search) -> Evaluation:
    """Return how well the neighbours of clips tell a label.

    Raises
    ------
    UsageError
        If something else is asked for too, a column is unknown, or `where` is malformed.
    """
    from bench.retrieval.evaluation import evaluate  # a search needs none of its libraries

    check(search)
    choice = selection.choice(search.where)
    with index.snapshot() as snapshot:
        allowed = snapshot.matching(choice) if choice else None
        return evaluate(snapshot, search.evaluate, search.not_same, search.k, allowed)


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
        if not len(ids):
            raise UsageError(
                f"--id {id_}: is no chunk of {index.path}, which is empty; add clips by `bench index add`"
            )
        there = f"{len(ids)} ids from {ids[0]} to {ids[-1]}"
        raise UsageError(f"--id {id_}: is no chunk of {index.path}; expected one of {there}")
    [clip] = snapshot.files([file])
    choice = selection.choice(search.where, selection.values(clip, search.not_same, snapshot))
    return nearest(index, snapshot, snapshot.vectors[[id_]], search, choice, snapshot.chunks_of([file]))


def by_audio(index: Index, snapshot: Snapshot, search: Search, encoder: Encoder) -> list[Hit]:
    """Return what is like a recording of any length, which is cut as the clips of the index are.

    Raises
    ------
    ClipError
        If the recording cannot be read.
    UsageError
        If there is no such file, or it is to differ from hits in a label.
    """
    _refuse_others(search)
    path = search.audio or Path()
    if not path.is_file():
        raise UsageError(f"--audio {path}: no such file")
    recording = Clip(id=str(path), path=path)
    chunks = cut(recording, audio.seconds(recording), index.card.chunking)
    queries = index.normalisation.apply(encoder.vectors(chunks))
    return nearest(index, snapshot, queries, search, selection.choice(search.where))


def by_text(snapshot: Snapshot, search: Search) -> list[Hit]:
    """Return the clips whose texts fit a description.

    Raises
    ------
    UsageError
        If there are no texts, the sentence encoder is not here, or hits are to differ in a label.
    """
    _refuse_others(search)
    choice = selection.choice(search.where)
    allowed = snapshot.matching(choice) if choice else None
    encoder = sentences.encoder_of(snapshot, search.sentences)
    return search_text(snapshot, search.text, search.k, allowed, encoder)


def by_description(index: Index, snapshot: Snapshot, search: Search, encoder: Encoder) -> list[Hit]:
    """Return what sounds as a text describes it, by an extractor that has vectors of texts too.

    Raises
    ------
    UsageError
        If the checkpoint has no text tower, or hits are to differ from the query in a label.
    """
    from bench.retrieval.clap import ClapText  # transformers takes seconds to import

    _refuse_others(search)
    parameters = encoder.learner.spec.params
    tower = ClapText(Path(parameters["checkpoint"]), parameters["device"])
    queries = index.normalisation.apply(tower.encode([search.text]))
    return nearest(index, snapshot, queries, search, selection.choice(search.where))


def _refuse_others(search: Search) -> None:
    """Refuse columns in which hits differ from a query that has no labels."""
    if search.not_same:
        names = ",".join(search.not_same)
        raise UsageError(f"--not-same {names}: needs --id, whose clip has labels; write --where")


def nearest(  # what to compare, and with what
    index: Index,
    snapshot: Snapshot,
    queries: Embeddings,
    search: Search,
    choice: Filter | None,
    excluded: Ids = NOBODY,
) -> list[Hit]:
    """Return what is nearest to the vectors of a query, shape=(n_queries, dim).

    Parameters
    ----------
    choice : Filter | None
        The clips that may be hits; None for all.
    excluded : Ids
        Chunks that may not.
    """
    allowed = snapshot.allowed(choice) if choice else None
    searcher = Searcher(index, snapshot)
    ids, scores = ranked(searcher, np.asarray(queries), search.k, search.merge, allowed, excluded)
    return snapshot.hits(ids.tolist(), scores.tolist())
