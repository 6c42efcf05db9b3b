"""Shards: the clips of a dataset that the cache lacks, in pieces of work for one extractor."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench import catalog
from bench.augment import Changes
from bench.datasets.index import Source
from bench.embed.cache import Cache, ClipEmbedding
from bench.embed.engine import embed
from bench.errors import PluginError
from bench.types import UNPOOLED, Clip, Extractor, Layer, Spec, View

SHARD_SECONDS = 300.0
SHARD_CLIPS = 1024
"""A shard is full at either limit, wherever it runs: its batches decide an embedding's last bits."""

UNIT_SECONDS = 30.0
"""Time after which a shard without a `Progress` callback returns what it did not embed, in s."""

Progress = Callable[[int, float], bool]
"""Takes a number of embedded clips and their length in s; returns whether to go on."""

ProgressFactory = Callable[[Source, str, int], Progress]
"""Takes a dataset, an extractor and a number of clips; returns the callback for their embedding."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Clips to embed by one extractor.

    Parameters
    ----------
    cache : str
        Root of the cache that stores the embeddings.
    digest : str
        The extractor's digest, under which the cache stores them.
    clips : Mapping[str, Clip]
        By the digest of their content.
    changes : Changes
        Applied to the clips, which then are augmented copies.
    frame_layers : Collection[Layer]
        Layers whose frames are stored too.
    """

    cache: str
    spec: Spec
    digest: str
    clips: Mapping[str, Clip]
    changes: Changes
    frame_layers: Collection[Layer]


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What `embed_shard` did.

    Parameters
    ----------
    n_clips : int
        Number of embedded clips.
    audio_s, seconds : float
        Their length, and the time that it took, in s.
    bad : Mapping[str, str]
        Content -> why the clip cannot be decoded.
    rest : Shard | None
        The clips that are not embedded; None if all are.
    """

    n_clips: int
    audio_s: float
    seconds: float
    bad: Mapping[str, str]
    rest: Shard | None


def shards(  # what embedding depends on, from five rooms
    source: Source,
    spec: Spec,
    digest: str,
    cache: Cache,
    changes: Changes = (),
    views: Collection[View] | None = None,
) -> tuple[list[Shard], int]:
    """Return the clips of a source and its copies that the cache lacks, and the number that it holds.

    Parameters
    ----------
    views : Collection[View] | None
        Views whose values are compared with their checksums; None compares every statistic.
    """
    all_contents = {content for contents in (source.contents, *source.copies) for content in contents}
    stored = read_embeddings(cache, digest, all_contents, views)
    clips: Sequence[Clip] = ()
    n_cached = 0
    result = []
    for contents, applied in ((source.contents, ()), *((copy, changes) for copy in source.copies)):
        rows = {content: row for row, content in enumerate(contents) if content}
        todo = [content for content in rows if content not in stored]
        n_cached += len(rows) - len(todo)
        todo.sort(key=lambda content: -source.seconds[rows[content]])
        clips = clips or (source.dataset.clips() if todo else ())
        for part in _cut(todo, [source.seconds[rows[content]] for content in todo]):
            result.append(
                Shard(
                    cache=cache.root,
                    spec=spec,
                    digest=digest,
                    clips={
                        content: source.planned(clips[rows[content]], source.contents[rows[content]])
                        for content in part
                    },
                    changes=applied,
                    frame_layers=frame_layers(views or ()),
                )
            )
    return result, n_cached


def _cut(contents: Sequence[str], seconds: Sequence[float]) -> Iterator[Sequence[str]]:
    """Yield contents in parts that fit into a shard; a clip that is too long is a part by itself."""
    start, length = 0, 0.0
    for stop, clip_s in enumerate(seconds):
        if stop > start and (length + clip_s > SHARD_SECONDS or stop - start == SHARD_CLIPS):
            yield contents[start:stop]
            start, length = stop, 0.0
        length += clip_s
    if contents:
        yield contents[start:]


def embed_shard(shard: Shard, progress: Progress | None = None) -> ShardReport:
    """Embed clips into the cache until all are done, the time is over, or `progress` returns False.

    The first shard of an extractor in this process embeds one clip twice, to check that a batch changes
    nothing.

    Raises
    ------
    UnavailableError, PluginError
        If the extractor cannot be built, raises or breaks its contract.
    UsageError
        If the cache cannot be written, or a clip's file does not exist any more.
    """
    cache = Cache(shard.cache)
    first = shard.digest not in _extractors
    extractor = _extractor(shard)
    rest = dict(shard.clips)
    bad: dict[str, str] = {}
    n_clips, audio_s = 0, 0.0
    start = time.monotonic()
    for batch in embed(
        shard.clips, shard.spec, extractor, shard.changes, shard.frame_layers, check_invariance=first
    ):
        if batch.embeddings:
            cache.write(shard.digest, batch.embeddings)
        for content in (*batch.embeddings, *batch.errors):
            del rest[content]
        bad |= batch.errors
        n_batch, batch_s = len(batch.embeddings), sum(row.audio_s for row in batch.embeddings.values())
        n_clips, audio_s = n_clips + n_batch, audio_s + batch_s
        goes_on = progress(n_batch, batch_s) if progress else time.monotonic() < start + UNIT_SECONDS
        if not goes_on:
            break
    if n_clips:
        cache.describe(shard.digest, shard.spec.name)
    return ShardReport(
        n_clips=n_clips,
        audio_s=audio_s,
        seconds=time.monotonic() - start,
        bad=bad,
        rest=replace(shard, clips=rest) if rest else None,
    )


_extractors: dict[str, Extractor] = {}
"""The extractor that this process built last, by its digest: a network takes seconds to load."""


def _extractor(shard: Shard) -> Extractor:
    """Return a shard's extractor."""
    if shard.digest not in _extractors:
        _extractors.clear()
        extractor = catalog.build(shard.spec)
        if not isinstance(extractor, Extractor):
            spec = shard.spec
            raise PluginError(f"extractor '{spec.name}' ({spec.factory}) lacks sample_rate, dim or embed")
        _extractors[shard.digest] = extractor
    return _extractors[shard.digest]


def release() -> None:
    """Free the extractor that this process built last."""
    _extractors.clear()


def frame_layers(views: Iterable[View]) -> set[Layer]:
    """Return the layers whose frames some views see."""
    return {view.layer for view in views if view.pool == UNPOOLED}


def read_embeddings(
    cache: Cache, digest: str, contents: Collection[str], views: Collection[View] | None = None
) -> Mapping[str, ClipEmbedding]:
    """Return the cached embeddings of some contents, with the frames that some views see.

    A clip is left out if what the views see of it is not cached, or damaged.

    Parameters
    ----------
    views : Collection[View] | None
        None stands for every statistic, without frames.
    """
    embeddings = cache.read(digest, contents, views)
    for layer in frame_layers(views or ()):
        frames = cache.read_frames(digest, layer, contents)
        embeddings = {
            content: replace(embeddings[content], frames={**embeddings[content].frames, layer: array})
            for content, array in frames.items()
            if content in embeddings
        }
    return embeddings
