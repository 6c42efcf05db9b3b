"""Acoustics: what can be measured of a recording without a model.

Conventions: frames of 50 ms every 20 ms; a frame is active if its level is not far below that of the loudest.
Times in s, levels in dB of full scale, frequencies in Hz.

References
----------
Brightness as the spectral centroid: Schubert and Wolfe, "Does timbral brightness scale with frequency and
spectral centroid?", Acta Acustica 92, 2006. Flatness: Dubnov, "Generalization of spectral flatness measure
for non-Gaussian linear processes", IEEE Signal Processing Letters 11, 2004. Pulse: Lartillot et al.,
"Multi-feature modeling of pulse clarity", ISMIR 2008; the preference for 120 beats a minute: Ellis, "Beat
tracking by dynamic programming", Journal of New Music Research 36, 2007.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import librosa
import numpy as np
import numpy.typing as npt
from scipy.signal import get_window

from bench.description.loudness import loudness
from bench.description.pitch import Pitches, frame_size, pitches
from bench.types import Audio

RATE = 16_000
"""Rate of the audio, in Hz: what is above 8 kHz is not heard."""

HOP = 320
"""From frame to frame, in samples."""

QUIETEST = -70.0
"""Level below which no frame is active, in dB."""

DEPTH = 40.0
"""An active frame is at most this far below the loudest one, in dB."""

VOICED = 0.6
"""Periodicity of a frame with a pitch."""

BAND_SHARE = 0.99
"""Share of the power in the band whose flatness counts: files of lower rates have nothing above it."""

SHORTEST_PULSE = 4.0
"""Shortest recording in which a pulse is looked for, in s."""

TEMPI = (40.0, 240.0)
"""Range of the tempo, in beats per minute."""

USUAL_TEMPO = 120.0
"""Tempo that is preferred among those of one, two and three beats."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pitch:
    """Pitch of the frames that have one.

    Parameters
    ----------
    low, median, high : float
        Quartiles, in Hz.
    share : float
        Share of the active frames that have a pitch, in [0, 1].
    """

    low: float
    median: float
    high: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spectrum:
    """Spectrum of the active frames.

    Parameters
    ----------
    centroid : float
        Median, in Hz.
    flatness : float
        Median of the geometric over the arithmetic mean of the power in the band that holds nearly all of it,
        in [0, 1]: near 0 for tones, higher for noise.
    """

    centroid: float
    flatness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A regular beat.

    Parameters
    ----------
    tempo : float
        In beats per minute.
    clarity : float
        Autocorrelation of the onsets at one beat, in [0, 1].
    """

    tempo: float
    clarity: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Acoustics:
    """What was measured of a recording.

    Parameters
    ----------
    seconds : float
    loudness : float | None
        In LUFS; None for silence.
    pauses : float
        Share of the frames that are not active, in [0, 1].
    variation : float
        Standard deviation of the levels of active frames, in dB.
    peak : float
        Level of the loudest frame over the median of the active ones, in dB.
    pitch, spectrum, pulse
        None for silence; no pitch if no frame has one; no pulse in a short recording.
    """

    seconds: float
    loudness: float | None
    pauses: float
    variation: float = 0.0
    peak: float = 0.0
    pitch: Pitch | None = None
    spectrum: Spectrum | None = None
    pulse: Pulse | None = None


def acoustics(audio: Audio) -> Acoustics:
    """Return what is measured of a recording, shape=(n_samples,), in [-1, 1], at `RATE`."""
    frames = _frames(audio)
    level = 10 * np.log10(np.maximum((frames.astype(np.float64) ** 2).mean(axis=1), 1e-20))
    is_active = level > max(QUIETEST, level.max() - DEPTH)
    seconds = audio.size / RATE
    if not is_active.any():
        return Acoustics(seconds=seconds, loudness=None, pauses=1.0)
    return Acoustics(
        seconds=seconds,
        loudness=loudness(audio, RATE),
        pauses=float(1 - is_active.mean()),
        variation=float(level[is_active].std()),
        peak=float(level.max() - np.median(level[is_active])),
        pitch=_pitch(pitches(frames[is_active], RATE)),
        spectrum=_spectrum(frames[is_active]),
        pulse=_pulse(audio) if seconds >= SHORTEST_PULSE else None,
    )


def _frames(audio: Audio) -> npt.NDArray[np.float32]:
    """Return the frames, shape=(n_frames, size); a recording shorter than a frame is padded with zeros."""
    size = frame_size(RATE)
    padded = np.pad(audio, (0, max(0, size - audio.size)))
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::HOP]


def _pitch(pitches: Pitches) -> Pitch | None:
    """Return the pitch of active frames; None if none of them repeats itself."""
    is_voiced = pitches.periodicity > VOICED
    if not is_voiced.any():
        return None
    low, median, high = np.quantile(pitches.hertz[is_voiced], [0.25, 0.5, 0.75])
    return Pitch(low=float(low), median=float(median), high=float(high), share=float(is_voiced.mean()))


def _spectrum(frames: npt.NDArray[np.float32]) -> Spectrum:
    """Return the spectrum of active frames."""
    window = get_window("hann", frames.shape[1]).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window)) ** 2
    hertz = np.fft.rfftfreq(frames.shape[1], 1 / RATE)
    mean = power.mean(axis=0)
    band = int(np.searchsorted(np.cumsum(mean), BAND_SHARE * mean.sum()))
    inside = np.maximum(power[:, 1 : band + 2], np.finfo(np.float64).tiny)
    flatness = np.exp(np.log(inside).mean(axis=1)) / inside.mean(axis=1)
    centroid = (power * hertz).sum(axis=1) / np.maximum(power.sum(axis=1), np.finfo(np.float64).tiny)
    return Spectrum(centroid=float(np.median(centroid)), flatness=float(np.median(flatness)))


def _pulse(audio: Audio) -> Pulse | None:
    """Return the clearest pulse; None if nothing begins."""
    onsets = librosa.onset.onset_strength(y=audio, sr=RATE, hop_length=HOP)
    onsets = onsets - onsets.mean()
    if not onsets.any():
        return None
    correlation = librosa.autocorrelate(onsets) / np.arange(onsets.size, 0, -1)
    slowest, fastest = (60 * RATE / HOP / tempo for tempo in TEMPI)
    lags = np.arange(math.ceil(fastest), min(int(slowest), onsets.size // 2) + 1)
    clarity = correlation[lags] / correlation[0]
    tempi = 60 * RATE / HOP / lags
    best = int((clarity * np.exp(-0.5 * np.log2(tempi / USUAL_TEMPO) ** 2)).argmax())
    return Pulse(tempo=float(tempi[best]), clarity=float(np.clip(clarity[best], 0, 1)))
