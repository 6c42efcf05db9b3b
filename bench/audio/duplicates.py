"""Clips that contain the same samples, whatever their files and formats."""

import functools
import hashlib
from collections import Counter
from collections.abc import Sequence

from bench.audio import files
from bench.audio.clips import HeaderReader, seconds
from bench.errors import ClipError
from bench.types import Clip

BEGINNING_SECONDS = 0.25
"""Length of the beginning that is compared before whole clips are, in s."""


def duplicate_fingerprints(clips: Sequence[Clip], header: HeaderReader = files.header) -> list[str]:
    """Return a fingerprint of each clip's samples, or '' if no other clip shares them.

    A fingerprint is the SHA-256 of the samples at the file's own rate, before padding and mixing. Only clips
    that agree in rate and length are decoded; only those that agree in their beginning are decoded whole. A
    clip that cannot be decoded has no fingerprint.

    Parameters
    ----------
    header : HeaderReader
        The function `header`, or a cached one.
    """
    header = functools.cache(header)
    keys: list[object] = [_rate_and_length(clip, header) for clip in clips]
    for length in (BEGINNING_SECONDS, None):
        keys = [
            _sha256(clip, header, length) if shared else None
            for clip, shared in zip(clips, _shared(keys), strict=True)
        ]
    return [str(key) if shared else "" for key, shared in zip(keys, _shared(keys), strict=True)]


def _shared(keys: Sequence[object]) -> list[bool]:
    """Return for every key whether it is present and occurs more than once."""
    counts = Counter(keys)
    return [key is not None and counts[key] > 1 for key in keys]


def _rate_and_length(clip: Clip, header: HeaderReader) -> tuple[int, int] | None:
    """Return a clip's rate in Hz and its number of samples."""
    facts = header(clip.path)
    return (facts.sample_rate, round(seconds(clip, header) * facts.sample_rate)) if facts else None


def _sha256(clip: Clip, header: HeaderReader, length: float | None) -> str | None:
    """Return the SHA-256 of a clip's samples, or of its first `length` s; None if it cannot be decoded."""
    facts = header(clip.path)
    if facts is None:
        return None
    start, whole = clip.start or 0.0, seconds(clip, header)
    end = start + (whole if length is None else min(whole, length))
    try:
        samples = files.samples(clip.path, facts.sample_rate, start, end)
    except ClipError:
        return None
    return hashlib.sha256(f"{facts.sample_rate} ".encode() + samples.tobytes()).hexdigest()
