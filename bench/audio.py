"""The only reader and resampler: a clip -> mono float32 in [-1, 1] at a rate.

Conventions: full scale is 1.0; channels are averaged; times in s, rates in Hz.
"""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
import soxr

from bench.errors import ClipError
from bench.types import Audio, Clip, digest

LOUDEST = 4.0
"""Peaks up to here (12 dB over full scale) are overshoot and clipped; beyond, the scale is wrong."""

SLACK_SECONDS = 0.05
"""How far a window may reach past the end of its file: label files round."""


def identity() -> Mapping[str, str]:
    """Return what of this module changes the samples: the versions of the decoder and the resampler."""
    return {"soundfile": version("soundfile"), "soxr": version("soxr"), "quality": "HQ"}


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex digits.

    Raises
    ------
    ClipError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ClipError(f"{path}: cannot be read ({error.strerror})") from error


def content(clip: Clip, file_sha256: str) -> str:
    """Return the digest of what a clip holds: its file's SHA-256 and its window, not its name."""
    return digest([file_sha256, clip.start, clip.end])


def read(clip: Clip, sample_rate: int) -> Audio:
    """Return a clip's samples at a rate; of a window, only what lies in it is decoded.

    Parameters
    ----------
    sample_rate : int
        In Hz.

    Returns
    -------
    Audio
        shape=(n_samples,), in [-1, 1].

    Raises
    ------
    ClipError
        If the file is absent, no audio, truncated or empty, if it holds samples that are not finite or far
        beyond full scale, or if the window does not lie in it.
    """
    if not clip.path.is_file():
        raise ClipError(f"{clip.path}: no such file")
    try:
        with soundfile.SoundFile(clip.path) as file:
            samples = _window(file, clip)
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        size = clip.path.stat().st_size
        what = "the file is empty" if size == 0 else error.error_string.rstrip(".")
        raise ClipError(
            f"{clip.path}: not decodable ({what}); expected WAV, FLAC, OGG, MP3 or AIFF"
        ) from error
    audio = samples.mean(axis=1)
    peak = float(np.abs(audio).max(initial=0.0))
    if not np.isfinite(audio).all():
        raise ClipError(f"{clip.path}: holds NaN or infinite samples; expected finite ones")
    if peak > LOUDEST:
        raise ClipError(f"{clip.path}: samples reach {peak:.3g}; expected [-1, 1], so write it at that scale")
    audio = soxr.resample(audio, rate, sample_rate, quality="HQ") if rate != sample_rate else audio
    if audio.size == 0:
        raise ClipError(f"{clip.path}: has no samples at {sample_rate} Hz")
    clipped: Audio = np.clip(audio, -1.0, 1.0).astype(np.float32, copy=False)
    return clipped


def _window(file: soundfile.SoundFile, clip: Clip) -> Audio:
    """Return the samples of the clip's window, shape=(n_samples, n_channels)."""
    rate, n_frames = file.samplerate, file.frames
    seconds = n_frames / rate
    start = clip.start or 0.0
    end = seconds if clip.end is None else clip.end
    if n_frames == 0:
        raise ClipError(f"{clip.path}: has 0 samples")
    if not 0 <= start < min(end, seconds) or end > seconds + SLACK_SECONDS:
        raise ClipError(f"{clip.path}: window {start:g} to {end:g} s does not lie in its {seconds:.3f} s")
    first, last = round(start * rate), min(round(end * rate), n_frames)
    file.seek(first)
    samples: Audio = file.read(last - first, dtype="float32", always_2d=True)
    if len(samples) < last - first:
        raise ClipError(f"{clip.path}: truncated; {len(samples)} of {last - first} samples could be decoded")
    return samples
