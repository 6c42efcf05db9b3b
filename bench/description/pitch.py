"""Pitch of the frames of a recording, and how periodic they are.

References
----------
Boersma, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
sampled sound", IFA Proceedings 17, 1993: the autocorrelation of a windowed frame over that of the window.
Frames are taken alone here, without the search for the cheapest path, as quantiles need none.
McLeod and Wyvill, "A smarter way to find pitch", ICMC 2005: a period is behind the first zero of the
autocorrelation, else every noise without high frequencies would have one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.signal import get_window

Values = npt.NDArray[np.float32]

LOWEST, HIGHEST = 60.0, 2000.0
"""Range of the pitch, in Hz: from deep voices to whistles."""

OCTAVE_COST = 0.01
"""Periodicity that a pitch an octave higher may lack, since two periods repeat as well as one."""

FINER = 2
"""Points of the autocorrelation per sample, for periods of a few samples."""

PERIODS = 3
"""Periods of the lowest pitch in a frame."""


@dataclass(frozen=True, slots=True)
class Pitches:
    """Pitch of every frame.

    Parameters
    ----------
    hertz : Values, shape=(n_frames,)
        0 where a frame has none.
    periodicity : Values, shape=(n_frames,)
        Autocorrelation at one period, in [0, 1]: the share of the power that repeats.
    """

    hertz: Values
    periodicity: Values


def pitches(frames: Values, sample_rate: int) -> Pitches:
    """Return the pitch and the periodicity of frames, shape=(n_frames, size).

    Parameters
    ----------
    sample_rate : int
        In Hz.
    """
    correlation = _autocorrelation(frames)
    sample_rate *= FINER
    first, last = int(sample_rate / HIGHEST), int(sample_rate / LOWEST)
    lags = np.arange(first, last + 1)
    before, here, behind = (correlation[:, lags + step] for step in (-1, 0, 1))
    is_past_zero = np.minimum.accumulate(correlation[:, :last], axis=1)[:, lags - 1] < 0
    is_peak = (here >= before) & (here > behind) & (here > 0) & is_past_zero
    curvature = np.where(is_peak, before - 2 * here + behind, -1.0)
    shift = np.clip(0.5 * (before - behind) / curvature, -0.5, 0.5)
    height = np.clip(here - 0.25 * (before - behind) * shift, 0.0, 1.0)
    strength = np.where(is_peak, height - OCTAVE_COST * np.log2(lags / first), -np.inf)
    best = strength.argmax(axis=1)
    rows = np.arange(len(frames))
    has_peak = is_peak[rows, best]
    hertz = sample_rate / (lags[best] + shift[rows, best])
    return Pitches(
        hertz=np.where(has_peak, hertz, 0.0).astype(np.float32),
        periodicity=np.where(has_peak, height[rows, best], 0.0).astype(np.float32),
    )


def frame_size(sample_rate: int) -> int:
    """Return the number of samples of a frame at a rate in Hz."""
    return round(PERIODS * sample_rate / LOWEST)


def _autocorrelation(frames: Values) -> Values:
    """Return the normalised autocorrelation of frames over that of their window, shape=(n_frames, n_lags).

    Lags are multiples of a sample over `FINER`.
    """
    size = frames.shape[1]
    window = get_window("hann", size).astype(np.float32)
    centred = (frames - frames.mean(axis=1, keepdims=True)) * window
    length = fft.next_fast_len(2 * size, real=True)

    def correlated(values: Values) -> Values:
        spectrum = fft.rfft(values, length, axis=-1)
        power = spectrum.real**2 + spectrum.imag**2
        correlation: Values = fft.irfft(power, FINER * length, axis=-1)
        return correlation[..., : FINER * size // 2]

    own, of_window = correlated(centred), correlated(window)
    power = np.maximum(own[:, :1], np.finfo(np.float32).tiny)
    correlation: Values = own / power * (of_window[0] / of_window)
    return correlation
