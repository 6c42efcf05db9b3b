"""Clips -> embeddings: decoded ahead, in batches of like lengths, long ones in windows."""

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from threadpoolctl import ThreadpoolController

from bench import audio, augment, preprocess
from bench.augment import Changes
from bench.catalog import devices
from bench.embed import pooling
from bench.embed.cache import Embedded
from bench.errors import ClipError, PluginError, UsageError, describe
from bench.meter import Meter
from bench.types import Audio, Clip, Extractor, Frames, Layer, Spec, Statistics, Usage

BATCH_CLIPS = 256
BATCH_SECONDS = 300.0
"""A batch is full at either, padding included, unless the extractor says what it takes."""

SAME = 0.05
"""Two answers for one clip may differ by so much of their norm, as half precision does; dropout makes 0.3."""

CONCURRENT_SECONDS = 1.0
"""Of shorter clips, most of the work on signals is Python's own, which threads only slow down."""

READERS = 8
"""The most threads that decode."""

KEEP_SECONDS = 5.0
KEEP_CLIPS = 512
"""What is embedded is handed out to be kept at either: it is what a kill can lose."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some clips: content digest -> embedding, or -> why the clip cannot be decoded."""

    made: Mapping[str, Embedded]
    bad: Mapping[str, str]


def embed(
    clips: Mapping[str, Clip],
    spec: Spec,
    extractor: Extractor,
    changes: Changes = (),
    framed: Collection[Layer] = (),
    doubted: bool = False,
) -> Iterator[Batch]:
    """Yield the embeddings, and the frames of some layers, of clips given by their contents' digests.

    Parameters
    ----------
    clips : Mapping[str, Clip]
        Like lengths beside each other, for clips of a batch are padded to the longest.
    extractor : Extractor
        What the spec builds.
    changes : Changes
        What is done to every clip before the extractor's steps, with values drawn by its digest.
    framed : Collection[Layer]
        The layers of which frames are wanted.
    doubted : bool
        Whether one clip is embedded twice, alone and in its batch, to see that both are the same.

    Raises
    ------
    PluginError
        If the extractor raises or breaks its contract, or does not give one of the layers.
    UsageError
        If a clip's file has gone.
    """
    engine = _Engine(spec, extractor, framed, doubted)
    made: dict[str, Embedded] = {}
    bad: dict[str, str] = {}
    with Meter() as meter:
        kept = time.perf_counter()
        for results in engine.run(_decoded(clips, spec, extractor.sample_rate, changes)):
            for content, result in results:
                if isinstance(result, str):
                    bad[content] = result
                else:
                    made[content] = result
            if time.perf_counter() - kept > KEEP_SECONDS or len(made) >= KEEP_CLIPS:
                yield Batch(_measured(made, meter), bad)
                made, bad, kept = {}, {}, time.perf_counter()
        yield Batch(_measured(made, meter), bad)


def _measured(made: Mapping[str, Embedded], meter: Meter) -> Mapping[str, Embedded]:
    """Return embeddings with what else than time they took since the meter was read, by the time of each."""
    usage = meter.read()
    total = sum(each.usage.seconds for each in made.values())
    return {
        content: replace(
            each, usage=replace(usage.part(each.usage.seconds / total), seconds=each.usage.seconds)
        )
        for content, each in made.items()
    }


def _decoded(
    clips: Mapping[str, Clip], spec: Spec, sample_rate: int, changes: Changes
) -> Iterator[tuple[str, Audio | str]]:
    """Yield (content, samples or why there are none), decoded ahead in threads if that gains anything."""
    steps = preprocess.parse(spec.preprocess)

    def read(content: str) -> Audio | str:
        try:
            y = audio.read(clips[content], sample_rate, steps.quality)
        except ClipError as error:
            path = clips[content].path
            if not path.exists():  # it was there when the run was planned
                raise UsageError(
                    f"{path}: has gone since the run began; bring it back and run again"
                ) from error
            return str(error)
        return steps.apply(augment.apply(changes, y, sample_rate, int(content, 16)))

    typical = list(clips.values())[len(clips) // 2] if clips and not spec.weights else None
    if typical and audio.seconds(typical) < CONCURRENT_SECONDS:
        yield from ((content, read(content)) for content in clips)
        return
    readers = ThreadPoolExecutor(min(READERS, devices.threads()))
    try:
        ahead: deque[tuple[str, Future[Audio | str]]] = deque()
        for content in clips:
            ahead.append((content, readers.submit(read, content)))
            if len(ahead) > BATCH_CLIPS:
                first, future = ahead.popleft()
                yield first, future.result()
        for content, future in ahead:
            yield content, future.result()
    finally:  # whoever stops early waits for no clip that nobody will hear
        readers.shutdown(cancel_futures=True)


@dataclass(slots=True)
class _Clip:
    """A clip on its way through the extractor, window by window."""

    content: str
    n_samples: int
    n_windows: int
    seconds: float = 0.0
    """What its windows took so far."""
    parts: list[tuple[int, Statistics]] = field(default_factory=list)
    frames: list[Mapping[Layer, Frames]] = field(default_factory=list)


class _Engine:
    """An extractor, what it is called with at once, and what becomes of what it returns."""

    def __init__(self, spec: Spec, extractor: Extractor, framed: Collection[Layer], doubted: bool) -> None:
        rate = extractor.sample_rate
        self.spec = spec
        self.extractor = extractor
        self.framed = framed
        self.doubted = doubted
        self.rate = rate
        self.n_layers: int | None = getattr(extractor, "n_layers", None)
        self.most_samples = round(getattr(extractor, "batch_seconds", BATCH_SECONDS) * rate)
        self.least_samples = round(getattr(extractor, "padded_seconds", 0.0) * rate)
        self.window = round(getattr(extractor, "max_seconds", 0.0) * rate)
        # Features of signals are made of many small products, which several threads only slow down.
        self.threads = (
            nullcontext if spec.weights else partial(ThreadpoolController().limit, limits=1, user_api="blas")
        )

    def run(
        self, decoded: Iterator[tuple[str, Audio | str]]
    ) -> Iterator[Sequence[tuple[str, Embedded | str]]]:
        """Yield (content, embedding or why there is none) of the clips that are done, batch by batch."""
        batch: list[tuple[_Clip, Audio]] = []
        longest = self.least_samples
        for content, samples in decoded:
            if isinstance(samples, str):
                yield [(content, samples)]
                continue
            windows = self._windows(samples)
            clip = _Clip(content, samples.size, len(windows))
            for window in windows:
                longest = max(longest, window.size)
                if batch and (longest * (len(batch) + 1) > self.most_samples or len(batch) == BATCH_CLIPS):
                    yield list(self._finished(batch))
                    batch, longest = [], max(self.least_samples, window.size)
                batch.append((clip, window))
        yield list(self._finished(batch))

    def _windows(self, samples: Audio) -> Sequence[Audio]:
        """Return a clip's samples in equal windows that are no longer than the extractor takes."""
        n_windows = -(-samples.size // self.window) if self.window else 1
        return np.array_split(samples, n_windows)

    def _finished(self, batch: Sequence[tuple[_Clip, Audio]]) -> Iterator[tuple[str, Embedded]]:
        """Yield the embeddings of the clips of which a batch holds the last window."""
        audios = [y for _, y in batch]
        shortest = audios[-1].copy() if self.doubted and audios else None
        made, seconds_of = self._embed(audios)
        if shortest is not None:
            self.doubted = False
            self._doubt(shortest, audios[-1], self._layers(made[-1]))
        for (clip, _), frames, seconds in zip(batch, made, seconds_of, strict=True):
            layers = self._layers(frames)
            try:
                clip.parts.append((layers.shape[1], pooling.summarise(layers)))
                clip.frames.append({name: pooling.layer(layers, name) for name in self.framed})
            except PluginError as error:
                raise PluginError(f"extractor '{self.spec.name}' {error}") from error
            except UsageError as error:
                raise PluginError(f"extractor '{self.spec.name}': {error}") from error
            clip.seconds += seconds
            if len(clip.parts) == clip.n_windows:
                kept = {name: np.concatenate([part[name] for part in clip.frames]) for name in self.framed}
                usage = Usage(clip.seconds, cpu_s=0.0, peak_mb=0.0)  # what else it took is known of the batch
                audio_s, n_params = clip.n_samples / self.rate, getattr(self.extractor, "n_params", None)
                yield clip.content, Embedded(pooling.merge(clip.parts), audio_s, usage, n_params, kept)

    def _layers(self, frames: Frames) -> Frames:
        """Return frames with every axis."""
        try:
            return pooling.stacked(frames, self.extractor.dim, self.n_layers)
        except PluginError as error:
            raise PluginError(f"extractor '{self.spec.name}' {error}") from error

    def _doubt(self, y: Audio, given: Audio, among: Frames) -> None:
        """Raise PluginError if a clip was changed, or has other frames alone than it has among others."""
        name = f"extractor '{self.spec.name}'"
        if not np.array_equal(y, given):
            raise PluginError(f"{name} changed the audio that it was given")
        among = among.copy()  # an extractor may write into one array again and again
        [frames], _ = self._embed([y])
        alone = self._layers(frames)
        if alone.shape != among.shape:
            raise PluginError(
                f"{name} gave one clip {alone.shape} frames alone, and {among.shape} in a batch"
            )
        norm = max(np.linalg.norm(alone), np.linalg.norm(among))
        apart = np.linalg.norm(alone - among)
        if apart > SAME * norm:
            raise PluginError(
                f"{name} gave one clip two answers, alone and in a batch, {apart / norm:.0%} apart"
            )

    def _embed(self, audios: Sequence[Audio]) -> tuple[Sequence[Frames], Sequence[float]]:
        """Return the frames of a batch, halved where it is too large, and its time by the clips' lengths."""
        if not audios:
            return [], []
        start = time.perf_counter()
        try:
            with self.threads():
                frames = self._called(audios)
        except MemoryError as error:
            if len(audios) == 1:
                raise PluginError(f"extractor '{self.spec.name}' ran out of memory on one clip") from error
            self.most_samples //= 2
            halves = [self._embed(half) for half in (audios[: len(audios) // 2], audios[len(audios) // 2 :])]
            return [f for half, _ in halves for f in half], [s for _, half in halves for s in half]
        except (Exception, SystemExit) as error:  # whatever a plugin raises fails its own cells
            raise PluginError(f"extractor '{self.spec.name}' raised {describe(error)}") from error
        seconds = time.perf_counter() - start
        if len(frames) != len(audios):
            raise PluginError(
                f"extractor '{self.spec.name}' returned {len(frames)} arrays for {len(audios)} clips"
            )
        n_samples = sum(samples.size for samples in audios)
        return frames, [samples.size / n_samples * seconds for samples in audios]

    def _called(self, audios: Sequence[Audio]) -> list[Frames]:
        """Return what the extractor makes of a batch, in a thread per core if it allows and gains by that."""
        mean = sum(samples.size for samples in audios) / len(audios) / self.rate
        if mean < CONCURRENT_SECONDS or not getattr(self.extractor, "concurrent", False):
            return list(self.extractor.embed(audios))
        n_threads = devices.threads()
        with ThreadPoolExecutor(n_threads) as workers:
            parts = list(workers.map(self.extractor.embed, [audios[i::n_threads] for i in range(n_threads)]))
        return [parts[row % n_threads][row // n_threads] for row in range(len(audios))]
