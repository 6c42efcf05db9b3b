"""Audio files: headers, samples at a rate, digests of bytes. No other module opens audio."""

import hashlib
import io
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from bench.audio import ffmpeg, streams
from bench.audio.containers import truncation
from bench.audio.ffmpeg import FfmpegStream
from bench.audio.streams import FRAMES_PER_BYTE, Stream, open_stream
from bench.errors import ClipError, one_line, reason
from bench.types import Audio

LOUDEST = 4.0
"""Highest peak that is clipped to full scale (12 dB above it); a higher one means a wrong scale."""

SLACK_SECONDS = 0.05
"""How far a window may reach past the end of its file, in s: times in label files are rounded."""

RATES = (1_000, 10_000_000)
"""Lowest and highest rate of audio, in Hz: a lower one holds no speech, and no converter is faster."""

FORMATS = "WAV, FLAC, OGG (Vorbis, Opus), MP3, AIFF, AU, CAF, W64 or another format of libsndfile"

SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif"),
    *(".aifc", ".au", ".caf", ".rf64", ".sph", ".w64"),
    *ffmpeg.SUFFIXES,
)
"""Suffixes of files that are read."""

KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "FIFO",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFSOCK: "socket",
}


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
        Length in s; of a stream whose header has none, the length of what it decodes to.
    """

    sample_rate: int
    channels: int
    seconds: float


def identity() -> Mapping[str, str]:
    """Return the versions of the decoder and the resampler: they change the samples."""
    return {"soundfile": version("soundfile"), "soxr": version("soxr")}


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Name a file in whatever its decoding raises: one file never ends a run.

    Raises
    ------
    ClipError
        In place of any other exception.
    """
    try:
        yield
    except ClipError:
        raise
    except Exception as error:
        raise ClipError(f"{path}: cannot be read ({one_line(error)}); leave this file out") from error


def stamp(path: Path) -> str:
    """Return a text that changes when a file does: its size, times of change in ns, and inode.

    The time of the last change of status is one of them: no program can set it.

    Raises
    ------
    ClipError
        If there is no file, or something else than a file.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise ClipError(f"{path}: no such file") from error
    except OSError as error:
        raise ClipError(f"{path}: cannot be read ({reason(error)})") from error
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFREG:
        raise ClipError(f"{path}: is a {KINDS.get(kind, 'special file')}; expected an audio file")
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex digits.

    Raises
    ------
    ClipError
        If there is no regular file, or it cannot be read.
    """
    stamp(path)  # a FIFO would wait for a writer
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ClipError(f"{path}: cannot be read ({reason(error)})") from error


def header(path: Path | str) -> Header | None:
    """Return the header of an audio file; None if the file has no readable header."""
    try:
        return read_header(Path(path))
    except ClipError:
        return None


def read_header(path: Path) -> Header:
    """Return the header of an audio file.

    Raises
    ------
    ClipError
        If the file is missing, or has no readable header.
    """
    with _open(path) as stream:
        return Header(stream.samplerate, stream.channels, _n_frames(stream, path) / stream.samplerate)


def bounded_header(path: Path, seconds: float) -> Header:
    """Return the header of an audio file; a length that is not in it is decoded no further than a limit.

    Parameters
    ----------
    seconds : float
        Limit in s: a longer stream without a length counts as one sample longer than that.

    Raises
    ------
    ClipError
        If the file is missing or not decodable.
    """
    with _open(path) as stream, naming(path):
        most = int(seconds * stream.samplerate) + 1
        n_frames = stream.count(most) if stream.n_frames is None else stream.n_frames
        return Header(stream.samplerate, stream.channels, n_frames / stream.samplerate)


@contextmanager
def _open(path: Path) -> Iterator[Stream | FfmpegStream]:
    """Open a file for decoding.

    Raises
    ------
    ClipError
        If the file is missing or not decodable, or anything else goes wrong until it is closed.
    """
    stamp(path)
    with naming(path):
        try:
            stream = open_stream(path)
        except soundfile.LibsndfileError as error:
            fault = "the file is empty" if path.stat().st_size == 0 else error.error_string.rstrip(".")
            raise ClipError(f"{path}: not decodable ({fault}); expected {FORMATS}") from error
        with stream:
            if not RATES[0] <= stream.samplerate <= RATES[1]:
                raise ClipError(
                    f"{path}: sample rate {stream.samplerate} Hz is no rate of audio; "
                    f"expected {RATES[0]} to {RATES[1]} Hz, so write its header again"
                )
            n_bytes = path.stat().st_size
            if (stream.n_frames or 0) > FRAMES_PER_BYTE * n_bytes:
                raise ClipError(
                    f"{path}: damaged; its header claims {stream.n_frames} samples in {n_bytes} bytes"
                )
            yield stream


def seeks(path: Path) -> bool:
    """Return whether a window is read without what is before it; True for what cannot be read."""
    try:
        stamp(path)
        return streams.seeks(path)
    except (ClipError, OSError, soundfile.LibsndfileError):
        return True


def write(path: Path, samples: npt.NDArray[Any], sample_rate: int) -> None:
    """Write samples in [-1, 1] to a file of 16 bits per sample; its suffix gives the format."""
    soundfile.write(path, samples, sample_rate, subtype="PCM_16")


def wav(samples: npt.NDArray[Any], sample_rate: int) -> bytes:
    """Return samples in [-1, 1] as a WAV file of 16 bits per sample."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


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
    with _open(path) as stream:
        _check_end(path)
        mono, rate = _window(stream, path, start or 0.0, end), stream.samplerate
    return at_rate(mono, rate, sample_rate, quality, source=str(path))


def windows(
    path: Path, sample_rate: int, spans: Sequence[tuple[float, float | None]], quality: str = "HQ"
) -> Iterator[Audio | ClipError]:
    """Yield the samples of windows of a file, which is opened once and read forward.

    `samples` opens the file for each window, and reads MP3 and what FFmpeg decodes from the start each time:
    the time grows with the square of their length. Samples of MP3 differ from its samples by the rounding of
    float32 in libmpg123, some 1e-7.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    spans : Sequence[tuple[float, float | None]]
        Starts and ends in s, None for the end of the file; no start is before an earlier one.
    quality : str
        Quality of soxr's resampling, such as ``HQ``.

    Yields
    ------
    Audio | ClipError
        shape=(n_samples,), in [-1, 1]; or why this window has no samples.

    Raises
    ------
    ClipError
        If the file is missing, not decodable or truncated.
    """
    with _open(path) as stream:
        _check_end(path)
        for start, end in spans:
            window: Audio | ClipError
            try:
                with naming(path):
                    mono = _window(stream, path, start, end)
                    window = at_rate(mono, stream.samplerate, sample_rate, quality, source=str(path))
            except ClipError as error:
                window = error
            yield window


def _check_end(path: Path) -> None:
    """Raise ClipError if a file shows that its end is missing."""
    missing = truncation(path)
    if missing:
        raise ClipError(f"{path}: truncated; {missing}")


def at_rate(  # two rates, and where the samples come from
    samples: npt.NDArray[Any], rate: int, sample_rate: int, quality: str = "HQ", *, source: str
) -> Audio:
    """Return samples, of which the channels are averaged, at another rate.

    Parameters
    ----------
    samples : np.ndarray, shape=(n_samples,) or (n_samples, n_channels)
        In [-1, 1].
    rate, sample_rate : int
        Rate of the samples, and of what is returned, in Hz.
    source : str
        Where they come from, for messages.

    Returns
    -------
    Audio
        shape=(n_samples,), in [-1, 1].

    Raises
    ------
    ClipError
        If a sample is not finite or far beyond full scale, or there is none.
    """
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    peak = float(np.abs(mono).max(initial=0.0))
    if not np.isfinite(mono).all():
        raise ClipError(f"{source}: contains NaN or infinite samples; expected finite samples")
    if peak > LOUDEST:
        raise ClipError(f"{source}: samples reach {peak:.3g}; expected [-1, 1], so write it at that scale")
    mono = soxr.resample(mono, rate, sample_rate, quality=quality) if rate != sample_rate else mono
    if mono.size == 0:
        raise ClipError(f"{source}: has no samples at {sample_rate} Hz; expected a longer clip")
    clipped: Audio = np.clip(mono, -1.0, 1.0).astype(np.float32, copy=False)
    return clipped


def _window(stream: Stream | FfmpegStream, path: Path, start: float, end: float | None) -> Audio:
    """Return the samples of a window of an open file, shape=(n_samples,)."""
    rate, n_frames = stream.samplerate, _n_frames(stream, path)
    seconds = n_frames / rate
    stop = seconds if end is None else end
    if n_frames == 0:
        raise ClipError(f"{path}: has 0 samples; expected audio")
    if not 0 <= start < min(stop, seconds) or stop > seconds + SLACK_SECONDS:
        raise ClipError(f"{path}: window {start:g} to {stop:g} s is not within the file's {seconds:.3f} s")
    first, last = round(start * rate), min(round(stop * rate), n_frames)
    try:
        mono = stream.mono(first, last)
    except soundfile.LibsndfileError as error:
        raise ClipError(f"{path}: truncated or damaged ({error.error_string.rstrip('.')})") from error
    if mono.size < last - first:
        raise ClipError(f"{path}: truncated; {mono.size} of {last - first} samples could be decoded")
    return mono


def _n_frames(stream: Stream | FfmpegStream, path: Path) -> int:
    """Return the length of an open file in samples per channel, decoded if its header has none."""
    return _decoded_frames(path, stamp(path)) if stream.n_frames is None else stream.n_frames


@lru_cache(maxsize=1024)  # many clips may be windows of one file
def _decoded_frames(path: Path, stamp: str) -> int:
    """Return the length of a file whose header has none, in samples per channel."""
    stream = open_stream(path)
    with stream:
        return stream.count()
