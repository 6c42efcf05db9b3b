"""Clips: their samples, padded and mixed, their lengths and the digests of their content."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from bench.audio import ffmpeg, files
from bench.audio.files import Header
from bench.audio.mixing import MIXER, gains
from bench.errors import ClipError
from bench.keys import digest
from bench.types import Audio, Clip

HeaderReader = Callable[[Path], Header | None]
"""The function `header`, or a cached one."""


def read(clip: Clip, sample_rate: int, quality: str = "HQ") -> Audio:
    """Return the samples of a clip at a rate, padded and mixed with its noise.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    quality : str
        Quality of soxr's resampling, such as ``HQ``.

    Returns
    -------
    Audio
        shape=(n_samples,), in [-1, 1]. A mixture beyond full scale is scaled down as a whole, never clipped.

    Raises
    ------
    ClipError
        If a file is missing, not decodable, truncated or empty, if a sample is not finite or far beyond full
        scale, if the window is not within the file, if the speech or the noise of a mixture is silent, or if
        a file is not the one that was planned.
    """
    with files.naming(clip.path):
        samples = _samples(clip, sample_rate, quality)
        if clip.planned is None or _stamps(clip) == clip.planned.stamps:
            return samples
        return _unchanged_samples(clip, clip.planned.content, sample_rate, quality)


def _samples(clip: Clip, sample_rate: int, quality: str) -> Audio:
    """Return the samples of a clip, whether or not its files are those of the plan."""
    samples = _padded(clip, files.samples(clip.path, sample_rate, clip.start, clip.end, quality), sample_rate)
    if clip.noise:
        noise = files.samples(clip.noise.path, sample_rate, quality=quality)
        noise = np.resize(np.roll(noise, -round(clip.noise.start * sample_rate)), samples.size)
        speech_gain, noise_gain = gains(samples, noise, clip.noise.snr_db, sample_rate)
        if not noise_gain:
            silent = clip.path if not samples.any() else clip.noise.path
            raise ClipError(f"{silent}: is silent, so a mixture with it has no SNR; leave this file out")
        samples = (speech_gain * samples + noise_gain * noise).astype(np.float32)
    return samples


def _padded(clip: Clip, samples: Audio, sample_rate: int) -> Audio:
    """Return the samples of a clip with zeros up to its length after padding."""
    if clip.seconds is None:
        return samples
    return np.pad(samples, (0, max(0, round(clip.seconds * sample_rate) - samples.size)))


def read_windows(clips: Sequence[Clip], sample_rate: int, quality: str = "HQ") -> Iterator[Audio | ClipError]:
    """Yield what `read` returns or raises for every clip.

    Windows of one file in the order of time are read in one pass where `read` would start at the beginning of
    the file each time: an MP3 file, and what FFmpeg decodes. Samples of MP3 then differ by the rounding of
    float32 in libmpg123, some 1e-7.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    quality : str
        Quality of soxr's resampling, such as ``HQ``.
    """
    if _need_one_pass(clips):
        spans = [(clip.start or 0.0, clip.end) for clip in clips]
        windows = files.windows(clips[0].path, sample_rate, spans, quality)
    else:
        windows = (_outcome(clip, sample_rate, quality) for clip in clips)
    for position, clip in enumerate(clips):
        try:
            samples = next(windows)
        except ClipError as error:  # of the file
            yield from [error] * (len(clips) - position)
            return
        yield samples if isinstance(samples, ClipError) else _padded(clip, samples, sample_rate)


def _need_one_pass(clips: Sequence[Clip]) -> bool:
    """Return whether clips are plain windows of one file, in order, that `read` would read from its start."""
    if len(clips) < 2 or any(
        clip.path != clips[0].path or clip.noise or clip.planned or clip.start is None for clip in clips
    ):
        return False
    starts = [clip.start or 0.0 for clip in clips]
    return starts == sorted(starts) and not files.seeks(clips[0].path)


def _outcome(clip: Clip, sample_rate: int, quality: str) -> Audio | ClipError:
    """Return what `read` returns or raises."""
    try:
        return read(clip, sample_rate, quality)
    except ClipError as error:
        return error


def _stamps(clip: Clip) -> tuple[str, ...]:
    """Return the stamps of a clip's files."""
    return tuple(files.stamp(path) for path in clip.files)


def _unchanged_samples(clip: Clip, planned: str, sample_rate: int, quality: str) -> Audio:
    """Return the samples of a clip whose files have other stamps than planned.

    Raises
    ------
    ClipError
        If they hold something else, or change meanwhile.
    """
    before = _stamps(clip)
    samples = _samples(clip, sample_rate, quality)
    if content(clip, _sha256) != planned or _stamps(clip) != before:
        names = " or ".join(map(str, clip.files))
        raise ClipError(f"{names}: changed after the run was planned; run the same command again")
    return samples


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file, which is read again when its stamp is another one."""
    return _sha256_of(path, files.stamp(path))


@lru_cache(maxsize=1024)  # many clips may be windows of one file
def _sha256_of(path: Path, stamp: str) -> str:
    return files.sha256(path)


def content(clip: Clip, sha256: Callable[[Path], str]) -> str:
    """Return the digest of a clip's audio: its files, window, padding, mixture and optional decoder.

    The name is no part of it.

    Parameters
    ----------
    sha256 : Callable[[Path], str]
        The function `sha256`, or a cached one.

    Raises
    ------
    ClipError
        If a file cannot be read, or needs PyAV, which is not installed.
    """
    parts: list[object] = [sha256(clip.path), clip.start, clip.end]
    if clip.seconds is not None:
        parts.append({"seconds": clip.seconds})
    if clip.noise:
        parts.append([sha256(clip.noise.path), clip.noise.start, clip.noise.snr_db, MIXER])
    decoder = ffmpeg.identity(*clip.files)
    if decoder:
        parts.append(dict(decoder))
    return digest(parts)


def seconds(clip: Clip, header: HeaderReader = files.header) -> float:
    """Return the length of a clip in s, from the header of its file; 0 if the file has no readable header."""
    facts = header(clip.path)
    end = clip.end if clip.end is not None or facts is None else facts.seconds
    return 0.0 if end is None else end - (clip.start or 0.0)
