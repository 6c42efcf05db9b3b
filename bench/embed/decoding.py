"""Decoding: clips -> samples, ahead of the extractor."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from bench import audio, augment, preprocess
from bench.augment import Changes
from bench.catalog import devices
from bench.errors import ClipError, UsageError
from bench.types import Audio, Clip, Spec

MIN_SECONDS = 1.0
"""Length from which threads gain time; most of the work on a shorter clip is Python's own."""

AHEAD_CLIPS = 256
"""Largest number of clips that are decoded before they are needed."""

READERS = 8
"""Largest number of threads that decode."""


def decode(
    clips: Mapping[str, Clip], spec: Spec, sample_rate: int, changes: Changes
) -> Iterator[tuple[str, Audio | str]]:
    """Yield (content, samples) of every clip in order, or (content, reason) if it cannot be decoded.

    Parameters
    ----------
    clips : Mapping[str, Clip]
        By the digest of their content.
    spec : Spec
        The extractor, whose preprocessing is applied.
    sample_rate : int
        Of the samples, in Hz.
    changes : Changes
        Applied before the preprocessing, with values drawn by a clip's content.

    Raises
    ------
    UsageError
        If a clip's file does not exist.
    """
    steps = preprocess.parse(spec.preprocess)

    def read(content: str) -> Audio | str:
        try:
            y = audio.read(clips[content], sample_rate, steps.quality)
        except ClipError as error:
            path = clips[content].path
            if not path.exists():  # the plan of the run read it
                raise UsageError(
                    f"{path}: no such file any more; restore it and run the same command again"
                ) from error
            return str(error)
        return steps.apply(augment.apply(changes, y, sample_rate, int(content, 16)))

    # Clips come sorted by length: the one in the middle has the median.
    median = list(clips.values())[len(clips) // 2] if clips and not spec.weights else None
    if median and audio.seconds(median) < MIN_SECONDS:
        yield from ((content, read(content)) for content in clips)
        return
    readers = ThreadPoolExecutor(min(READERS, devices.threads()))
    try:
        ahead: deque[tuple[str, Future[Audio | str]]] = deque()
        for content in clips:
            ahead.append((content, readers.submit(read, content)))
            if len(ahead) > AHEAD_CLIPS:
                first, future = ahead.popleft()
                yield first, future.result()
        for content, future in ahead:
            yield content, future.result()
    finally:  # a caller that stops early does not wait for the clips ahead
        readers.shutdown(cancel_futures=True)
