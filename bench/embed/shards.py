"""Work on an extractor: what the cache lacks of a dataset, in shards, each embedded where it is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench import catalog
from bench.augment import Changes
from bench.datasets.index import Source
from bench.embed.batches import embed
from bench.embed.cache import Cache, Embedded
from bench.errors import PluginError
from bench.types import Clip, Extractor, Layer, Spec

SHARD_SECONDS = 300.0
SHARD_CLIPS = 1024
"""A shard is full at either, whatever runs it: its batches decide an embedding's last bits."""

UNIT_SECONDS = 30.0
"""After about so long, a shard that nobody watches is handed back with what is left of it."""

Tell = Callable[[int, float], bool]
"""Takes note of clips that are embedded and their length in s, and returns whether to go on."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Clips for an extractor, and the cache that their embeddings go to.

    Parameters
    ----------
    cache : str
        The root of the cache.
    digest : str
        What the cache keeps the extractor's embeddings under.
    clips : Mapping[str, Clip]
        By the digest of their contents.
    changes : Changes
        What is done to the clips, which are augmented copies then.
    framed : Collection[Layer]
        The layers of which frames are wanted.
    """

    cache: str
    spec: Spec
    digest: str
    clips: Mapping[str, Clip]
    changes: Changes
    framed: Collection[Layer]


@dataclass(frozen=True, slots=True)
class Embedding:
    """What became of a shard.

    Parameters
    ----------
    n_clips, audio_s, seconds : int, float, float
        Embedded clips, their length in s, and what they took, in s.
    bad : Mapping[str, str]
        Content -> why it cannot be decoded.
    rest : Shard | None
        What is left to do.
    """

    n_clips: int
    audio_s: float
    seconds: float
    bad: Mapping[str, str]
    rest: Shard | None


def shards(
    source: Source,
    spec: Spec,
    digest: str,
    cache: Cache,
    changes: Changes = (),
    framed: Collection[Layer] = (),
) -> tuple[list[Shard], int]:
    """Return what is to be embedded of a source and its copies, and how many of their clips are kept."""
    kept = cache.kept(digest, framed)
    n_kept = 0
    found = []
    for contents, changed in ((source.contents, ()), *((copy, changes) for copy in source.copies)):
        wanted = {content: row for row, content in enumerate(contents) if content}
        todo = [content for content in wanted if content not in kept]
        n_kept += len(wanted) - len(todo)
        todo.sort(key=lambda content: -source.seconds[wanted[content]])
        clips = source.dataset.clips() if todo else []
        for part in _cut(todo, [source.seconds[wanted[content]] for content in todo]):
            chosen = {content: clips[wanted[content]] for content in part}
            found.append(Shard(cache.root, spec, digest, chosen, changed, framed))
    return found, n_kept


def _cut(contents: Sequence[str], seconds: Sequence[float]) -> Iterator[Sequence[str]]:
    """Yield parts that are no longer than a shard may be."""
    start, length = 0, 0.0
    for stop, more in enumerate(seconds):
        if stop > start and (length + more > SHARD_SECONDS or stop - start == SHARD_CLIPS):
            yield contents[start:stop]
            start, length = stop, 0.0
        length += more
    if contents:
        yield contents[start:]


def embed_shard(shard: Shard, tell: Tell | None = None) -> Embedding:
    """Embed clips into the cache until all are there, the time is over, or `tell` wants no more.

    Raises
    ------
    UnavailableError, PluginError
        If the extractor cannot be built, raises or breaks its contract.
    UsageError
        If the cache cannot be written, or a clip's file has gone.
    """
    cache = Cache(shard.cache)
    new = shard.digest not in _kept
    extractor = _built(shard)
    rest = dict(shard.clips)
    bad: dict[str, str] = {}
    n_clips, audio_s = 0, 0.0
    start = time.monotonic()
    for batch in embed(shard.clips, shard.spec, extractor, shard.changes, shard.framed, doubted=new):
        if batch.made:
            cache.write(shard.digest, batch.made)
        for content in (*batch.made, *batch.bad):
            del rest[content]
        bad |= batch.bad
        more = sum(each.audio_s for each in batch.made.values())
        n_clips, audio_s = n_clips + len(batch.made), audio_s + more
        wanted = tell(len(batch.made), more) if tell else time.monotonic() < start + UNIT_SECONDS
        if not wanted:
            break
    if n_clips:
        cache.describe(shard.digest, shard.spec.name)
    left = replace(shard, clips=rest) if rest else None
    return Embedding(n_clips, audio_s, time.monotonic() - start, bad, left)


_kept: dict[str, Extractor] = {}
"""The extractor that this process built last, by its digest: a network takes seconds to load."""


def _built(shard: Shard) -> Extractor:
    """Return a shard's extractor."""
    if shard.digest not in _kept:
        _kept.clear()
        extractor = catalog.build(shard.spec)
        if not isinstance(extractor, Extractor):
            spec = shard.spec
            raise PluginError(f"extractor '{spec.name}' ({spec.factory}) lacks sample_rate, dim or embed")
        _kept[shard.digest] = extractor
    return _kept[shard.digest]


def release() -> None:
    """Let go of the extractor that this process built last."""
    _kept.clear()


def embedded(
    cache: Cache, digest: str, contents: Collection[str], framed: Collection[Layer] = ()
) -> Mapping[str, Embedded]:
    """Return what the cache has of an extractor's digest for some contents, with frames of some layers."""
    found = cache.read(digest, contents)
    for layer in framed:
        frames = cache.read_frames(digest, layer, contents)
        found = {
            content: replace(found[content], frames={**found[content].frames, layer: own})
            for content, own in frames.items()
            if content in found
        }
    return found
