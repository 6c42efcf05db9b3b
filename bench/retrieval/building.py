"""Building: the clips of a data set -> an index, and more clips for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from bench.catalog import Registry
from bench.datasets.index import Source, sources_of
from bench.embed.cache import Cache
from bench.embed.shards import ProgressFactory
from bench.embed.sources import embed_source
from bench.errors import UsageError
from bench.request import Indexing, Request
from bench.retrieval import chunks as cutting
from bench.retrieval.card import EngineCard, IndexCard
from bench.retrieval.chunks import Chunks
from bench.retrieval.encoder import Encoder, encoder_of
from bench.retrieval.engines import maintenance, names
from bench.retrieval.index import Index, check_free
from bench.retrieval.metadata import missing
from bench.retrieval.normalisation import Normalisation
from bench.retrieval.writer import Writer

BATCH_CHUNKS = 32_768
"""Number of chunks that are added at once, and largest number that the normalisation is fitted to.

Of a million chunks, each batch reads the whole cache of the extractor.
"""


@dataclass(frozen=True, slots=True)
class Addition:
    """What was added to an index.

    Parameters
    ----------
    n_files, n_chunks : int
        Number of the clips, and of their chunks.
    n_known : int
        Number of clips that were there already, by name and content.
    unreadable : Mapping[str, str]
        Clip -> reason.
    """

    n_files: int = 0
    n_chunks: int = 0
    n_known: int = 0
    unreadable: Mapping[str, str] = field(default_factory=dict)


def build(
    request: Request, indexing: Indexing, declared: Registry, cache: Cache, progress_of: ProgressFactory
) -> tuple[Index, Addition]:
    """Return a new index of the clips of a request with one data set, and what is in it.

    Raises
    ------
    UsageError
        If the folder is in use, an option is out of range, the request names several extractors, or no clip
        can be read.
    """
    _check(indexing)
    chunking = cutting.parse(indexing.chunk)
    encoder = encoder_of(request, declared)
    chunks = _embedded(cutting.chunks_of(_source(request, declared), chunking), encoder, cache, progress_of)
    if not chunks.items:
        clip, why = next(iter(chunks.unreadable.items()))
        raise UsageError(f"{request.datasets[0]}: no clip can be read, such as {clip}: {why}")
    contents = chunks.source.contents
    sample = np.linspace(0, len(contents) - 1, min(len(contents), BATCH_CHUNKS)).astype(int)
    vectors = encoder.cached([contents[row] for row in sample], cache)
    spec = encoder.learner.spec
    normalisation = None if encoder.is_joint else Normalisation.fit(vectors)
    card = IndexCard(
        extractor=spec.name,
        identity=encoder.identity,
        view=encoder.view,
        dim=vectors.shape[1],
        weights=_place(spec.weights),
        preprocess=spec.preprocess,
        precision=encoder.learner.identity.get("precision", "fp32"),
        runtime=spec.params.get("runtime", "auto"),
        chunking=chunking,
        is_joint=encoder.is_joint,
        normalisation="standardise" if normalisation else "none",
        engine=EngineCard(name=indexing.engine),
    )
    index = Index.create(indexing.to, card, normalisation)
    with index.writing() as writer:
        addition = _write(writer, chunks, encoder, index.normalisation, cache)
        with index.snapshot() as snapshot:
            card = maintenance.build(index.path, card, snapshot, indexing.recall)
        card = replace(card, n_files=addition.n_files, n_chunks=addition.n_chunks)
        writer.set_card(card)
    return replace(index, card=card), addition


def add(
    index: Index,
    encoder: Encoder,
    request: Request,
    declared: Registry,
    cache: Cache,
    progress_of: ProgressFactory,
) -> Addition:
    """Add the clips of a request with one data set that an index lacks, and return what was added.

    Parameters
    ----------
    encoder : Encoder
        As `encoder_of_index` returns it.

    Raises
    ------
    UsageError
        If the data set cannot be opened, or the index cannot be written.
    """
    chunks = cutting.chunks_of(_source(request, declared), index.card.chunking)
    n_clips = len(chunks.items)
    with index.snapshot() as snapshot:
        chunks = chunks.subset(missing(snapshot.connection, chunks.items))
    n_known = n_clips - len(chunks.items)
    if not chunks.items:
        return Addition(n_known=n_known, unreadable=chunks.unreadable)
    chunks = _embedded(chunks, encoder, cache, progress_of)  # another one may write meanwhile
    with index.writing() as writer:
        addition = _write(writer, chunks, encoder, index.normalisation, cache)
        with index.snapshot() as snapshot:
            maintenance.update(index.path, writer.card, snapshot)
    return replace(addition, n_known=n_known + addition.n_known)


def _check(indexing: Indexing) -> None:
    """Refuse, before anything is embedded, what cannot be built."""
    check_free(indexing.to)
    names.choose(indexing.engine, 0)
    if not 0 <= indexing.recall < 1:
        raise UsageError(f"--recall {indexing.recall}: expected a share from 0 to below 1, such as 0.95")


def _source(request: Request, declared: Registry) -> Source:
    """Return the source of a request; it needs no search for near copies, which takes a minute."""
    [source] = sources_of(replace(request, near_copies="off"), declared).values()
    return source


def _embedded(chunks: Chunks, encoder: Encoder, cache: Cache, progress_of: ProgressFactory) -> Chunks:
    """Return the chunks of clips that can be read, with their embeddings in the cache."""
    return chunks.without(embed_source(chunks.source, encoder.learner, [encoder.view], cache, progress_of))


def _place(weights: str) -> str:
    """Return weights as a name that any working folder understands."""
    return str(Path(weights).absolute()) if weights and Path(weights).exists() else weights


def _write(
    writer: Writer, chunks: Chunks, encoder: Encoder, normalisation: Normalisation, cache: Cache
) -> Addition:
    """Add the clips that an index lacks, each batch in a transaction, and return what was added."""
    n_files = n_chunks = n_known = 0
    for batch in chunks.batches(BATCH_CHUNKS):
        lacking = batch.subset(missing(writer.connection, batch.items))
        n_known += len(batch.items) - len(lacking.items)
        if lacking.items:
            vectors = normalisation.apply(encoder.cached(lacking.source.contents, cache))
            n_chunks += len(writer.add(lacking.items, vectors))
            n_files += len(lacking.items)
    return Addition(n_files, n_chunks, n_known, chunks.unreadable)
