"""Audio files: headers, samples at a rate, digests of bytes. No other module opens audio."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from bench.errors import ClipError
from bench.types import Audio

LOUDEST = 4.0
"""Highest peak that is clipped to full scale (12 dB above it); a higher one means a wrong scale."""

SLACK_SECONDS = 0.05
"""How far a window may reach past the end of its file, in s: times in label files are rounded."""


@dataclass(frozen=True, slots=True)
class Header:
    """Facts in the header of an audio file.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    channels : int
        Number of channels.
    seconds : float
        Length in s.
    """

    sample_rate: int
    channels: int
    seconds: float


def identity() -> Mapping[str, str]:
    """Return the versions of the decoder and the resampler: they change the samples."""
    return {"soundfile": version("soundfile"), "soxr": version("soxr")}


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


def header(path: Path | str) -> Header | None:
    """Return the header of an audio file; None if the file has no readable header."""
    try:
        with soundfile.SoundFile(path) as file:
            return Header(file.samplerate, file.channels, file.frames / file.samplerate)
    except (soundfile.LibsndfileError, OSError):
        return None


def write(path: Path, samples: npt.NDArray[Any], sample_rate: int) -> None:
    """Write samples in [-1, 1] to a file of 16 bits per sample; its suffix gives the format."""
    soundfile.write(path, samples, sample_rate, subtype="PCM_16")


def samples(
    path: Path, sample_rate: int, start: float | None = None, end: float | None = None, quality: str = "HQ"
) -> Audio:
    """Return the samples of a file, or of a window of it, mono and at a rate.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    start, end : float | None
        Window in s; None for the start or the end of the file. Only the window is decoded.
    quality : str
        Quality of soxr's resampling, such as ``HQ``.

    Returns
    -------
    Audio
        shape=(n_samples,), in [-1, 1].

    Raises
    ------
    ClipError
        If the file is missing, not decodable, truncated or empty, if a sample is not finite or far beyond
        full scale, or if the window is not within the file.
    """
    if not path.is_file():
        raise ClipError(f"{path}: no such file")
    try:
        with soundfile.SoundFile(path) as file:
            channels = _window(file, path, start or 0.0, end)
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        reason = "the file is empty" if path.stat().st_size == 0 else error.error_string.rstrip(".")
        raise ClipError(f"{path}: not decodable ({reason}); expected WAV, FLAC, OGG, MP3 or AIFF") from error
    mono = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1)
    peak = float(np.abs(mono).max(initial=0.0))
    if not np.isfinite(mono).all():
        raise ClipError(f"{path}: contains NaN or infinite samples; expected finite samples")
    if peak > LOUDEST:
        raise ClipError(f"{path}: samples reach {peak:.3g}; expected [-1, 1], so write it at that scale")
    mono = soxr.resample(mono, rate, sample_rate, quality=quality) if rate != sample_rate else mono
    if mono.size == 0:
        raise ClipError(f"{path}: has no samples at {sample_rate} Hz; expected a longer clip")
    clipped: Audio = np.clip(mono, -1.0, 1.0).astype(np.float32, copy=False)
    return clipped


def _window(file: soundfile.SoundFile, path: Path, start: float, end: float | None) -> Audio:
    """Return the samples of a window of an open file, shape=(n_samples, n_channels)."""
    rate, n_frames = file.samplerate, file.frames
    seconds = n_frames / rate
    stop = seconds if end is None else end
    if n_frames == 0:
        raise ClipError(f"{path}: has 0 samples; expected audio")
    if not 0 <= start < min(stop, seconds) or stop > seconds + SLACK_SECONDS:
        raise ClipError(f"{path}: window {start:g} to {stop:g} s is not within the file's {seconds:.3f} s")
    first, last = round(start * rate), min(round(stop * rate), n_frames)
    file.seek(first)
    channels: Audio = file.read(last - first, dtype="float32", always_2d=True)
    if len(channels) < last - first:
        raise ClipError(f"{path}: truncated; {len(channels)} of {last - first} samples could be decoded")
    return channels
