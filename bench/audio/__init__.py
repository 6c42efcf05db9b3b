"""The only reader, mixer and resampler: a clip -> mono float32 in [-1, 1] at a rate.

Conventions: full scale is 1.0; channels are averaged; times in s, rates in Hz.
"""

from bench.audio.clips import content, read, read_windows, seconds
from bench.audio.duplicates import duplicate_fingerprints
from bench.audio.ffmpeg import INSTALLATION as AV_INSTALLATION
from bench.audio.ffmpeg import SUFFIXES as AV_SUFFIXES
from bench.audio.ffmpeg import decodes as needs_av
from bench.audio.ffmpeg import identity_here as av_identity
from bench.audio.ffmpeg import is_installed as has_av
from bench.audio.files import (
    SUFFIXES,
    Header,
    at_rate,
    bounded_header,
    header,
    identity,
    read_header,
    sha256,
    stamp,
    wav,
    write,
)
from bench.audio.mixing import MIXER, active_level, gains
from bench.audio.near import near_copies
from bench.audio.previews import preview

__all__ = [
    "AV_INSTALLATION",
    "AV_SUFFIXES",
    "MIXER",
    "SUFFIXES",
    "Header",
    "active_level",
    "at_rate",
    "av_identity",
    "bounded_header",
    "content",
    "duplicate_fingerprints",
    "gains",
    "has_av",
    "header",
    "identity",
    "near_copies",
    "needs_av",
    "preview",
    "read",
    "read_header",
    "read_windows",
    "seconds",
    "sha256",
    "stamp",
    "wav",
    "write",
]
