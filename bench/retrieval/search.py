"""Search: what a user asks of an index -> hits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench import paths
from bench.catalog import Registry
from bench.errors import UsageError
from bench.inference.hearing import seconds_of
from bench.request import Request, Search
from bench.retrieval import selection
from bench.retrieval.chunks import cut
from bench.retrieval.encoder import Encoder, encoder_of_index
from bench.retrieval.evaluation import Evaluation, evaluate
from bench.retrieval.filters import Filter
from bench.retrieval.index import Index
from bench.retrieval.merging import ranked
from bench.retrieval.querying import NOBODY, Searcher
from bench.retrieval.records import Hit
from bench.retrieval.sentences import encoder_of
from bench.retrieval.snapshot import Snapshot
from bench.retrieval.texts import search_text
from bench.types import Clip, Embeddings
from bench.types.retrieval import Ids

ASKED = ("id", "audio", "text", "evaluate")
"""Fields of a search, of which one says what to look for."""


def hits(
    index: Index, search: Search, declared: Registry, *, device: str = "auto", weights: str = ""
) -> list[Hit]:
    """Return what an index has that is like a chunk, a recording or a text, the best first.

    Parameters
    ----------
    device, weights : str
        Of the extractor, for a recording or a text; see `encoder_of_index`.

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
        if search.not_same:
            raise UsageError(
                f"--not-same {','.join(search.not_same)}: a recording or a text has no labels to differ in; "
                "write --where"
            )
        request = Request(home=paths.home(), device=device)
        # Vectors that were not normalised are of a CLAP.
        if search.text and (search.sentences or index.card.normalisation != "none"):
            return by_words(snapshot, search)
        encoder = encoder_of_index(index, request, declared, weights)
        by = by_text if search.text else by_audio
        return by(index, snapshot, search, encoder)


def check(search: Search) -> None:
    """Refuse a search that asks for nothing, or for several things at once.

    Raises
    ------
    UsageError
        If none or several of `ASKED` are given.
    """
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
        there = f"{len(ids)} ids from {ids[0]} to {ids[-1]}" if len(ids) else "an empty index"
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
        If there is no such file.
    """
    path = search.audio or Path()
    if not path.is_file():
        raise UsageError(f"--audio {path}: no such file")
    recording = Clip(id=str(path), path=path)
    chunks = cut(recording, seconds_of(recording), index.card.chunking)
    queries = index.normalisation.apply(encoder.vectors(chunks))
    return nearest(index, snapshot, queries, search, selection.choice(search.where))


def by_text(index: Index, snapshot: Snapshot, search: Search, encoder: Encoder) -> list[Hit]:
    """Return the sounds that a text describes, by the text tower of a CLAP.

    Raises
    ------
    UsageError
        If the index is not of a CLAP, or its checkpoint lacks the text tower.
    """
    folder = encoder.text_tower
    if folder is None:
        raise UsageError(f"{index.path}: is not of a CLAP; search its texts by --sentences none")
    from bench.retrieval.clap import ClapText  # transformers takes seconds to import

    tower = ClapText(folder, str(encoder.learner.spec.params["device"]))
    queries = tower.encode([search.text])
    return nearest(index, snapshot, queries, search, selection.choice(search.where))


def by_words(snapshot: Snapshot, search: Search) -> list[Hit]:
    """Return the clips whose texts fit a query, by words and, if the index has sentences, by meaning.

    Raises
    ------
    UsageError
        If the index has no texts, or its sentence encoder is not here.
    """
    choice = selection.choice(search.where)
    allowed = snapshot.matching(choice) if choice else None
    return search_text(snapshot, search.text, search.k, allowed, encoder_of(snapshot, search.sentences))


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
