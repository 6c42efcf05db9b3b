"""The only reader, mixer and resampler: a clip -> mono float32 in [-1, 1] at a rate.

Conventions: full scale is 1.0; channels are averaged; times in s, rates in Hz.
"""

from bench.audio.clips import content, read, seconds
from bench.audio.duplicates import duplicate_fingerprints
from bench.audio.files import Header, header, identity, sha256, stamp, write
from bench.audio.mixing import MIXER, active_level, gains

__all__ = [
    "MIXER",
    "Header",
    "active_level",
    "content",
    "duplicate_fingerprints",
    "gains",
    "header",
    "identity",
    "read",
    "seconds",
    "sha256",
    "stamp",
    "write",
]
