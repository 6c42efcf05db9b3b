"""Clips -> embeddings, batch by batch."""

import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import audio, augment, preprocess, registry, views
from bench.augment import Changes
from bench.cache import Embedded
from bench.errors import BenchError, ClipError, PluginError
from bench.types import Audio, Clip, Extractor, Frames, Spec

BATCH_CLIPS = 32
BATCH_SECONDS = 600
"""A batch is full at either: it is what a kill can lose, and what must fit into memory."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a batch: content digest -> embedding, or -> why the clip cannot be decoded."""

    made: Mapping[str, Embedded]
    bad: Mapping[str, str]
    done: int
    """Clips up to this batch, itself included."""


def embed(
    clips: Mapping[str, Clip], spec: Spec, changes: Changes = (), *, keep_frames: bool
) -> Iterator[Batch]:
    """Yield the embeddings, with their frames if asked, of clips that are given by their contents' digests.

    Parameters
    ----------
    changes : Changes
        What is done to every clip before the extractor's steps, with values drawn by its digest.

    Raises
    ------
    UnavailableError
        If a distribution that the extractor needs is not installed.
    PluginError
        If the extractor raises or breaks its contract.
    """
    if not clips:
        return
    extractor = registry.build(spec)
    if not isinstance(extractor, Extractor):
        raise PluginError(f"extractor '{spec.name}' ({spec.factory}) lacks sample_rate, dim or embed")
    steps = preprocess.parse(spec.preprocess)
    decoded: dict[str, Audio] = {}
    bad: dict[str, str] = {}
    for done, (content, clip) in enumerate(clips.items(), start=1):
        try:
            y = audio.read(clip, extractor.sample_rate, steps.quality)
            decoded[content] = steps.apply(augment.apply(changes, y, extractor.sample_rate, int(content, 16)))
        except ClipError as error:
            bad[content] = str(error)
        n_samples = sum(samples.size for samples in decoded.values())
        full = len(decoded) >= BATCH_CLIPS or n_samples >= BATCH_SECONDS * extractor.sample_rate
        if full or done == len(clips):
            yield Batch(_embed_batch(extractor, spec, decoded, keep_frames), bad, done)
            decoded, bad = {}, {}


def _embed_batch(
    extractor: Extractor, spec: Spec, decoded: Mapping[str, Audio], keep_frames: bool
) -> Mapping[str, Embedded]:
    """Return the embeddings of a batch, its time shared out by the clips' lengths."""
    if not decoded:
        return {}
    start = time.perf_counter()
    try:
        frames: list[Frames] = list(extractor.embed(list(decoded.values())))
    except Exception as error:  # whatever a plugin raises fails its own cells
        raise PluginError(f"extractor '{spec.name}' raised {cause(error)}") from error
    seconds = time.perf_counter() - start
    if len(frames) != len(decoded):
        raise PluginError(f"extractor '{spec.name}' returned {len(frames)} arrays for {len(decoded)} clips")
    n_samples = sum(samples.size for samples in decoded.values())
    made = {}
    for (content, samples), array in zip(decoded.items(), frames, strict=True):
        try:
            statistics = views.summarise(array, extractor.dim)
            kept = views.stacked(array, extractor.dim) if keep_frames else None
        except PluginError as error:
            raise PluginError(f"extractor '{spec.name}' {error}") from error
        share = samples.size / n_samples
        made[content] = Embedded(statistics, samples.size / extractor.sample_rate, share * seconds, kept)
    return made


def cause(error: Exception) -> str:
    """Return an error in one line: a user's own as it is, a bug's with where it was raised."""
    if isinstance(error, BenchError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}: {' '.join(str(error).split())} ({Path(frame.filename).name}:{frame.lineno})"
    )
