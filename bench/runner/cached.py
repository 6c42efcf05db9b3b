"""The embeddings of a dataset: what the cache lacks is made, and everything is read from the cache."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from bench.augment import Changes
from bench.cache import Cache, Embedded
from bench.runner.embedding import embed
from bench.runner.record import Counters
from bench.runner.sources import Source
from bench.types import Layer, Spec


class Listener(Protocol):
    """Who is told how an extractor gets on, and may want a run to stop."""

    stopping: bool
    """Whether to stop as soon as what is in hand is kept."""

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
        self, source: Source, spec: Spec, digest: str, framed: Collection[Layer] = ()
    ) -> tuple[Mapping[str, Embedded], Mapping[str, str]]:
        """Return content digest -> embedding of every decodable clip and copy, and clip -> why it is none.

        Parameters
        ----------
        digest : str
            What the cache keeps the extractor's embeddings under.
        framed : Collection[Layer]
            The layers of which frames are wanted.

        Raises
        ------
        UnavailableError, PluginError
            If the extractor cannot be built, raises or breaks its contract.
        """
        embedded = self._kept(source, digest, framed)
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
            for batch in embed(todo, spec, changes, framed):
                audio_s += sum(each.audio_s for each in batch.made.values())
                speed = audio_s / (time.perf_counter() - start)
                if batch.made:
                    self.cache.write(digest, batch.made)
                made.update(batch.made)
                bad.update(batch.bad)
                self.counters.clips_decoded += len(batch.made)
                self.counters.clips_embedded += len(batch.made)
                self.listener.embedded(source.dataset.name, spec.name, batch.done, len(todo), speed)
                if self.listener.stopping:
                    raise KeyboardInterrupt
        if made:
            self.cache.describe(digest, spec.name)
            # Read again, since the cache maps them into memory: so many of them need not fit into it.
            embedded = self._kept(source, digest, framed)
        pairs = zip(clips, source.contents, strict=True)
        undecodable = {clip.id: bad[content] for clip, content in pairs if content in bad}
        return embedded, {**source.unreadable, **undecodable}

    def _kept(self, source: Source, digest: str, framed: Collection[Layer]) -> Mapping[str, Embedded]:
        """Return what the cache has of an extractor's digest; of clips without the frames wanted, nothing."""
        embedded = self.cache.read(digest)
        wanted = set().union(source.contents, *source.copies)
        for layer in framed:
            frames = self.cache.read_frames(digest, layer, wanted)
            embedded = {
                content: replace(embedded[content], frames={**embedded[content].frames, layer: found})
                for content, found in frames.items()
                if content in embedded
            }
        return embedded
