"""Clips: a file of an index -> the audio that was indexed, in parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, product
from pathlib import Path

from bench import audio
from bench.errors import ClipError
from bench.paths import path_of
from bench.retrieval.records import File
from bench.types import Audio, Clip


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a clip.

    Parameters
    ----------
    start : float
        In the file, in s.
    audio : Audio
        shape=(n_samples,), in [-1, 1].
    """

    start: float
    audio: Audio


def clip_of(file: File) -> Clip:
    """Return the clip that a file of an index is.

    Raises
    ------
    ClipError
        If its audio is missing, or is not what was indexed.
    """
    path, end = path_of(file.path), file.start + file.seconds
    # The sum of two floats may differ from the end that was indexed in its last digits.
    for first, last in product((None, file.start), (None, end, round(end, 6))):
        clip = Clip(file.clip, path, start=first, end=last)
        if audio.content(clip, _sha256) == file.content:
            return clip
    raise ClipError(
        f"{path}: is not what was indexed; expected the same bytes, and no padding or noise: build the "
        "index again"
    )


def parts(clip: Clip, sample_rate: int, longest: float) -> Iterator[Part]:
    """Yield a clip in parts of at most `longest` s.

    Parameters
    ----------
    sample_rate : int
        In Hz.

    Raises
    ------
    ClipError
        If a part cannot be read.
    """
    start, seconds = clip.start or 0.0, audio.seconds(clip)
    if seconds <= longest:
        yield Part(start, audio.read(clip, sample_rate))
        return
    n_parts = int(-(-seconds // longest))
    edges = [start + number * seconds / n_parts for number in range(n_parts + 1)]
    windows = [Clip(clip.id, clip.path, start=first, end=last) for first, last in pairwise(edges)]
    for window, samples in zip(windows, audio.read_windows(windows, sample_rate), strict=True):
        if isinstance(samples, ClipError):
            raise samples
        yield Part(window.start or 0.0, samples)


def _sha256(path: Path) -> str:
    return _sha256_of(path, audio.stamp(path))


@lru_cache(maxsize=1024)  # many clips may be windows of one file
def _sha256_of(path: Path, stamp: str) -> str:
    return audio.sha256(path)
