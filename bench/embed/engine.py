"""Engine: clips -> embeddings, decoded ahead, in batches of similar lengths, long clips in windows."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bench.augment import Changes
from bench.catalog import devices
from bench.costs import Meter, Usage
from bench.embed import invariance, pooling
from bench.embed.accumulator import ClipAccumulator
from bench.embed.batches import BatchBuilder, Window, cut
from bench.embed.cache import ClipEmbedding
from bench.embed.decoding import decode
from bench.embed.extraction import Extraction
from bench.embed.layers import as_layers
from bench.errors import PluginError, UsageError
from bench.types import Audio, Clip, Extractor, Frames, Layer, Spec

STORE_SECONDS = 5.0
STORE_CLIPS = 512
"""Embeddings are handed out to be stored at either limit: a kill loses no more."""


@dataclass(frozen=True, slots=True)
class EmbeddingBatch:
    """Embeddings of some clips, by the digest of their content.

    Parameters
    ----------
    errors : Mapping[str, str]
        Content -> why the clip cannot be decoded.
    """

    embeddings: Mapping[str, ClipEmbedding]
    errors: Mapping[str, str]


def embed(  # the fields of a shard, and two settings
    clips: Mapping[str, Clip],
    spec: Spec,
    extractor: Extractor,
    changes: Changes = (),
    frame_layers: Collection[Layer] = (),
    check_invariance: bool = False,
) -> Iterator[EmbeddingBatch]:
    """Yield the embeddings of clips, in parts that are ready to be stored.

    Parameters
    ----------
    clips : Mapping[str, Clip]
        By the digest of their content, sorted by length: a batch is padded to its longest clip.
    extractor : Extractor
        Built from the spec.
    changes : Changes
        Applied to every clip before the extractor's preprocessing, with values drawn by its content.
    frame_layers : Collection[Layer]
        Layers whose frames are returned besides the statistics.
    check_invariance : bool
        Embed one clip twice, alone and in its batch, and compare.

    Raises
    ------
    PluginError
        If the extractor raises, breaks its contract, or does not return one of the layers.
    UsageError
        If a clip's file does not exist any more.
    """
    engine = _Engine(spec, extractor, frame_layers, check_invariance)
    embeddings: dict[str, ClipEmbedding] = {}
    errors: dict[str, str] = {}
    with Meter() as meter:
        start = time.perf_counter()
        for results in engine.run(decode(clips, spec, extractor.sample_rate, changes)):
            for content, result in results:
                if isinstance(result, str):
                    errors[content] = result
                else:
                    embeddings[content] = result
            if time.perf_counter() - start > STORE_SECONDS or len(embeddings) >= STORE_CLIPS:
                yield EmbeddingBatch(_with_usage(embeddings, meter.read()), errors)
                embeddings, errors, start = {}, {}, time.perf_counter()
        yield EmbeddingBatch(_with_usage(embeddings, meter.read()), errors)


def embed_audio(
    audio: Iterator[tuple[str, Audio | str]],
    spec: Spec,
    extractor: Extractor,
    frame_layers: Collection[Layer] = (),
) -> Iterator[tuple[str, ClipEmbedding | str]]:
    """Yield the embedding of every clip, batch by batch, or why it has none.

    Parameters
    ----------
    audio : Iterator[tuple[str, Audio | str]]
        Name of every clip, with its samples at the extractor's rate, or with the reason if it has none.
    spec, extractor, frame_layers
        As of `embed`.

    Raises
    ------
    PluginError
        As of `embed`.
    """
    for results in _Engine(spec, extractor, frame_layers, check_invariance=False).run(audio):
        yield from results


def _with_usage(embeddings: Mapping[str, ClipEmbedding], usage: Usage) -> Mapping[str, ClipEmbedding]:
    """Return embeddings with their shares of a usage, by the time that the extractor took for each."""
    total = sum(embedding.usage.seconds for embedding in embeddings.values())
    threads = devices.threads()
    return {
        content: replace(
            embedding,
            usage=replace(usage.part(embedding.usage.seconds / total), seconds=embedding.usage.seconds),
            threads=threads,
        )
        for content, embedding in embeddings.items()
    }


class _Engine:
    """Sends the windows of clips through an extractor, batch by batch, and joins them again."""

    def __init__(
        self, spec: Spec, extractor: Extractor, frame_layers: Collection[Layer], check_invariance: bool
    ) -> None:
        self.extraction = Extraction(spec, extractor)
        self._spec = spec
        self._extractor = extractor
        self._frame_layers = frame_layers
        self._unchecked = check_invariance
        self._clips: dict[str, ClipAccumulator] = {}
        self._threads = ThreadPoolExecutor(devices.threads())  # a GPU is faster than one thread of statistics

    def run(
        self, decoded: Iterator[tuple[str, Audio | str]]
    ) -> Iterator[Sequence[tuple[str, ClipEmbedding | str]]]:
        """Yield (content, embedding) of every clip, or (content, reason) if it cannot be decoded."""
        rate, traits = self._extractor.sample_rate, self.extraction.traits
        builder = BatchBuilder(round(traits.padded_seconds * rate))
        for content, samples in decoded:
            if isinstance(samples, str):
                yield [(content, samples)]
                continue
            windows = cut(content, samples, round(traits.max_seconds * rate))
            self._clips[content] = ClipAccumulator(samples.size / rate, len(windows), self._frame_layers)
            for window in windows:
                batch = builder.add(window, self.extraction.max_samples)
                if batch:
                    yield list(self._embed(batch))
        yield list(self._embed(builder.flush()))

    def _embed(self, batch: Sequence[Window]) -> Iterator[tuple[str, ClipEmbedding]]:
        """Yield the embeddings of the clips whose last window is in a batch."""
        audios = [window.audio for window in batch]
        last = audios[-1].copy() if self._unchecked and audios else None
        arrays, seconds = self.extraction.run(audios)
        if last is not None:
            self._unchecked = False
            layers = self._as_layers(arrays[-1])
            invariance.check(self._spec.name, last, audios[-1], layers, self._embed_alone)
        layers_of_windows = [self._as_layers(frames) for frames in arrays]
        with self._blame():
            statistics = list(self._threads.map(pooling.summarise, layers_of_windows))
        for window, layers, summary, window_s in zip(
            batch, layers_of_windows, statistics, seconds, strict=True
        ):
            clip = self._clips[window.content]
            with self._blame():
                clip.add(layers, summary, window_s)
            if clip.complete:
                yield window.content, clip.embedding(self.extraction.traits.n_params)
                del self._clips[window.content]

    def _as_layers(self, frames: Frames) -> Frames:
        with self._blame():
            return as_layers(frames, self._extractor.dim, self.extraction.traits.n_layers)

    def _embed_alone(self, audio: Audio) -> Frames:
        [frames], _ = self.extraction.run([audio])
        return self._as_layers(frames)

    @contextmanager
    def _blame(self) -> Iterator[None]:
        """Name the extractor in an error."""
        try:
            yield
        except PluginError as error:
            raise PluginError(f"extractor '{self._spec.name}' {error}") from error
        except UsageError as error:
            raise PluginError(f"extractor '{self._spec.name}': {error}") from error
