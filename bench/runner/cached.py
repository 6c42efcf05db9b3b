"""The embeddings of a dataset: what the cache lacks is made, and everything is read from the cache."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from bench.augment import Changes
from bench.cache import Cache, Embedded
from bench.runner.embedding import embed
from bench.runner.record import Counters
from bench.runner.sources import Source
from bench.types import Spec


class Listener(Protocol):
    """Who is told how an extractor gets on."""

    def embedded(self, dataset: str, extractor: str, done: int, total: int, speed: float) -> None:
        """Take note that `done` of `total` clips have been embedded, at so many s of audio per s."""


class Embedder:
    """Embeds datasets through a cache.

    Parameters
    ----------
    changes : Changes
        What is done to the augmented copies of a source.
    counters : Counters
        Where clips are counted.
    """

    def __init__(self, cache: Cache, changes: Changes, listener: Listener, counters: Counters) -> None:
        self.cache = cache
        self.changes = changes
        self.listener = listener
        self.counters = counters

    def embeddings(
        self, source: Source, spec: Spec, digest: str, *, keep_frames: bool
    ) -> tuple[Mapping[str, Embedded], Mapping[str, str]]:
        """Return content digest -> embedding of every decodable clip and copy, and clip -> why it is none.

        Parameters
        ----------
        digest : str
            What the cache keeps the extractor's embeddings under.

        Raises
        ------
        UnavailableError, PluginError
            If the extractor cannot be built, raises or breaks its contract.
        """
        embedded = self._kept(source, digest, keep_frames)
        made: set[str] = set()
        clips = source.dataset.clips()
        bad: dict[str, str] = {}
        passes = [(source.contents, ()), *((contents, self.changes) for contents in source.copies)]
        for contents, changes in passes:
            triples = zip(clips, contents, source.contents, strict=True)
            wanted = {content: clip for clip, content, own in triples if content and own not in bad}
            known = {*embedded, *made}
            todo = {content: clip for content, clip in wanted.items() if content not in known}
            self.counters.clips_cached += len(wanted) - len(todo)
            audio_s, start = 0.0, time.perf_counter()
            for batch in embed(todo, spec, changes, keep_frames=keep_frames):
                audio_s += sum(each.audio_s for each in batch.made.values())
                speed = audio_s / (time.perf_counter() - start)
                if batch.made:
                    self.cache.write(digest, batch.made)
                made.update(batch.made)
                bad.update(batch.bad)
                self.counters.clips_decoded += len(batch.made)
                self.counters.clips_embedded += len(batch.made)
                self.listener.embedded(source.dataset.name, spec.name, batch.done, len(todo), speed)
        if made:
            self.cache.describe(digest, spec.name)
            # Read again, since the cache maps them into memory: so many of them need not fit into it.
            embedded = self._kept(source, digest, keep_frames)
        pairs = zip(clips, source.contents, strict=True)
        undecodable = {clip.id: bad[content] for clip, content in pairs if content in bad}
        return embedded, {**source.unreadable, **undecodable}

    def _kept(self, source: Source, digest: str, keep_frames: bool) -> Mapping[str, Embedded]:
        """Return what the cache has of an extractor's digest; if frames are needed, what it has with them."""
        embedded = self.cache.read(digest)
        if not keep_frames:
            return embedded
        frames = self.cache.read_frames(digest, set().union(source.contents, *source.copies))
        framed = [content for content in frames if content in embedded]
        return {content: replace(embedded[content], frames=frames[content]) for content in framed}
