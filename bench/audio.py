"""The only reader, mixer and resampler: a clip -> mono float32 in [-1, 1] at a rate.

Conventions: full scale is 1.0; channels are averaged; times in s, rates in Hz.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy.signal import lfilter

from bench.errors import ClipError
from bench.keys import digest
from bench.types import Audio, Clip

LOUDEST = 4.0
"""Peaks up to here (12 dB over full scale) are overshoot and clipped; beyond, the scale is wrong."""

MARGIN_DB = 15.9
"""How far the threshold of activity lies below the active level (ITU-T P.56)."""

MIXER = 1
"""Version of how mixtures are made, for their digests."""

BEGINNING_SECONDS = 0.25
"""So much of two clips is compared before all of them is."""

SLACK_SECONDS = 0.05
"""How far a window may reach past the end of its file: label files round."""


def identity() -> Mapping[str, str]:
    """Return what of this module changes the samples: the versions of the decoder and the resampler."""
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


def content(clip: Clip, sha256: Callable[[Path], str]) -> str:
    """Return the digest of what a clip holds: the SHA-256 of its files and its recipe, not its name.

    Parameters
    ----------
    sha256 : Callable[[Path], str]
        The function of that name, or one that remembers its answers.
    """
    parts: list[object] = [sha256(clip.path), clip.start, clip.end]
    if clip.seconds is not None:
        parts.append({"seconds": clip.seconds})
    if clip.noise:
        parts.append([sha256(clip.noise.path), clip.noise.start, clip.noise.snr_db, MIXER])
    return digest(parts)


Header = Callable[[Path], tuple[int, float] | None]
"""The function `header`, or one that remembers its answers."""


def header(path: Path) -> tuple[int, float] | None:
    """Return a file's rate in Hz and its length in s; None if it has no header that can be read."""
    try:
        with soundfile.SoundFile(path) as file:
            return file.samplerate, file.frames / file.samplerate
    except (soundfile.LibsndfileError, OSError):
        return None


def seconds(clip: Clip, header: Header = header) -> float:
    """Return about how long a clip is, in s, by its header; 0 if it has none."""
    known = header(clip.path)
    end = clip.end if clip.end is not None or known is None else known[1]
    return 0.0 if end is None else end - (clip.start or 0.0)


def heard(clips: Sequence[Clip], header: Header = header) -> list[str]:
    """Return what is the same of clips that hold the same samples; empty where that is of no other clip.

    It is the SHA-256 of the samples at the file's own rate, before anything is mixed under them or padded:
    files of different formats may hold the same audio. Clips that are alone with their length are not
    decoded, and of the others only the beginning, unless that is the same too. What cannot be decoded is
    empty.
    """
    keys: list[object] = []
    for clip in clips:
        known = header(clip.path)
        keys.append(known and (known[0], round(seconds(clip, header) * known[0])))
    for most in (BEGINNING_SECONDS, None):
        counts = Counter(keys)
        keys = [
            _heard(clip, header, most) if key and counts[key] > 1 else None
            for clip, key in zip(clips, keys, strict=True)
        ]
    counts = Counter(keys)
    return [str(key) if key and counts[key] > 1 else "" for key in keys]


def _heard(clip: Clip, header: Header, most: float | None) -> str | None:
    """Return the SHA-256 of a clip's samples, or of their first so many seconds; None if there are none."""
    known = header(clip.path)
    if known is None:
        return None
    start, length = clip.start or 0.0, seconds(clip, header)
    try:
        samples = _samples(
            clip.path, known[0], start, start + (length if most is None else min(length, most))
        )
    except ClipError:
        return None
    return hashlib.sha256(f"{known[0]} ".encode() + samples.tobytes()).hexdigest()


def read(clip: Clip, sample_rate: int, quality: str = "HQ") -> Audio:
    """Return a clip's samples at a rate, padded and mixed with its noise; of a window, only that is decoded.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    quality : str
        Of the resampling, as soxr calls it.

    Returns
    -------
    Audio
        shape=(n_samples,), in [-1, 1]. A mixture beyond that is turned down as a whole, never clipped.

    Raises
    ------
    ClipError
        If a file is absent, no audio, truncated or empty, if it holds samples that are not finite or far
        beyond full scale, if the window does not lie in it, or if a part of a mixture is silent.
    """
    samples = _samples(clip.path, sample_rate, clip.start, clip.end, quality)
    if clip.seconds is not None:
        samples = np.pad(samples, (0, max(0, round(clip.seconds * sample_rate) - samples.size)))
    if clip.noise:
        noise = _samples(clip.noise.path, sample_rate, quality=quality)
        noise = np.resize(np.roll(noise, -round(clip.noise.start * sample_rate)), samples.size)
        speech_gain, noise_gain = gains(samples, noise, clip.noise.snr_db, sample_rate)
        if not noise_gain:
            silent = clip.path if not samples.any() else clip.noise.path
            raise ClipError(f"{silent}: is silent, so that no mixture with it has an SNR")
        samples = (speech_gain * samples + noise_gain * noise).astype(np.float32)
    return samples


def gains(speech: Audio, noise: Audio, snr_db: float, sample_rate: int) -> tuple[float, float]:
    """Return what speech and noise are multiplied by to have an SNR, and to stay in [-1, 1] when added.

    The speech counts with its active level, so that its pauses change nothing, the noise with its power over
    the whole clip. Both gains are 0 if either is silent.

    Parameters
    ----------
    speech, noise : Audio
        shape=(n_samples,).
    snr_db : float
        In dB.
    """
    noise_power = float(np.mean(np.square(noise, dtype=np.float64)))
    level_db = active_level(speech, sample_rate)
    if noise_power == 0 or level_db == -np.inf:
        return 0.0, 0.0
    gain = 10 ** ((level_db - snr_db - 10 * np.log10(noise_power)) / 20)
    peak = float(np.abs(speech + gain * noise).max())
    # Rounding to float32 may add half a step, which the last factor keeps below full scale.
    scale = min(1.0, (1 - 1e-6) / peak)
    return scale, scale * gain


def active_level(speech: Audio, sample_rate: int) -> float:
    """Return the level of the active parts of speech, in dB relative to full scale; -inf if it is silent.

    Method B of ITU-T P.56 (2011): the envelope is smoothed twice with 30 ms, a part is active from where it
    exceeds a threshold until 200 ms after, and the level is that whose threshold lies `MARGIN_DB` below it.
    """
    power = float(np.sum(np.square(speech, dtype=np.float64)))
    if power == 0:
        return -np.inf
    decay = np.exp(-1 / (0.03 * sample_rate))
    envelope = np.abs(speech).astype(np.float64)
    for _ in range(2):
        envelope = lfilter([1 - decay], [1, -decay], envelope)
    # Halvings of the highest envelope, not of full scale: then the level follows any gain exactly.
    thresholds = envelope.max() / 2.0 ** np.arange(20)
    places, hangover = np.arange(envelope.size), round(0.2 * sample_rate)
    levels_db = []
    for threshold in thresholds:
        # The last sample, up to each one, that exceeded the threshold; active for the hangover after it.
        heard = np.maximum.accumulate(np.where(envelope >= threshold, places, -np.inf))
        levels_db.append(10 * np.log10(power / np.count_nonzero(places - heard <= hangover)))
    margins = levels_db - 20 * np.log10(thresholds)
    last = max(int(np.argmax(margins >= MARGIN_DB)), 1)
    return float(np.interp(MARGIN_DB, margins[last - 1 : last + 1], levels_db[last - 1 : last + 1]))


def _samples(
    path: Path, sample_rate: int, start: float | None = None, end: float | None = None, quality: str = "HQ"
) -> Audio:
    """Return a file's samples, or those of a window of it, mono and at a rate."""
    if not path.is_file():
        raise ClipError(f"{path}: no such file")
    try:
        with soundfile.SoundFile(path) as file:
            samples = _window(file, path, start or 0.0, end)
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        what = "the file is empty" if path.stat().st_size == 0 else error.error_string.rstrip(".")
        expected = "expected WAV, FLAC, OGG, MP3 or AIFF"
        raise ClipError(f"{path}: not decodable ({what}); {expected}") from error
    audio = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    peak = float(np.abs(audio).max(initial=0.0))
    if not np.isfinite(audio).all():
        raise ClipError(f"{path}: holds NaN or infinite samples; expected finite ones")
    if peak > LOUDEST:
        raise ClipError(f"{path}: samples reach {peak:.3g}; expected [-1, 1], so write it at that scale")
    audio = soxr.resample(audio, rate, sample_rate, quality=quality) if rate != sample_rate else audio
    if audio.size == 0:
        raise ClipError(f"{path}: has no samples at {sample_rate} Hz")
    clipped: Audio = np.clip(audio, -1.0, 1.0).astype(np.float32, copy=False)
    return clipped


def _window(file: soundfile.SoundFile, path: Path, start: float, end: float | None) -> Audio:
    """Return the samples of a window, shape=(n_samples, n_channels)."""
    rate, n_frames = file.samplerate, file.frames
    seconds = n_frames / rate
    stop = seconds if end is None else end
    if n_frames == 0:
        raise ClipError(f"{path}: has 0 samples")
    if not 0 <= start < min(stop, seconds) or stop > seconds + SLACK_SECONDS:
        raise ClipError(f"{path}: window {start:g} to {stop:g} s does not lie in its {seconds:.3f} s")
    first, last = round(start * rate), min(round(stop * rate), n_frames)
    file.seek(first)
    samples: Audio = file.read(last - first, dtype="float32", always_2d=True)
    if len(samples) < last - first:
        raise ClipError(f"{path}: truncated; {len(samples)} of {last - first} samples could be decoded")
    return samples
