"""Landmarks: loud moments of a clip, each described by the spectrum around it.

A landmark outlives what makes a near copy: it is where a band is loudest, and its description is relative to
its mean, coarse in frequency, and blind to what is far below the loudest moment of the clip.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import dct, rfft
from scipy.ndimage import maximum_filter1d

from bench.types import Audio

RATE = 8000
"""Rate at which clips are compared, in Hz: a copy at a telephone's rate is a copy."""

N_FFT, HOP = 256, 64
"""Window and hop of the spectrum, in samples: 32 ms and 8 ms."""

LOWEST, HIGHEST, N_BANDS = 100.0, 3000.0, 20
"""Range of the bands in Hz, equal on a logarithmic scale, and their number."""

CONTEXT = 8
"""Frames of the description on either side of a landmark: 64 ms."""

SHAPE = 5, 6
"""Coefficients of a description in time and in frequency, of which the mean is left out."""

N_REGIONS, N_PER_REGION = 4, 3
"""Regions of the spectrum that have landmarks of their own, and the largest number in each."""

DISTANCE = 3
"""Frames on either side of a landmark that are not louder."""

FLOOR = 1e-3
"""Power that counts as none, relative to the loudest of the clip: -30 dB."""

QUIETEST = 1e-4
"""Highest peak of a clip without landmarks: 3 steps of 16 bits."""

LEAST_SHARE = 0.01
"""Share of a clip's energy in the bands below which it has no landmarks: there is but leakage of a hum."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmarks of a clip.

    Parameters
    ----------
    times : npt.NDArray[np.intp]
        In samples at `RATE`, shape=(n_landmarks,).
    descriptions : npt.NDArray[np.float32]
        shape=(n_landmarks, n_coefficients).
    """

    times: npt.NDArray[np.intp]
    descriptions: npt.NDArray[np.float32]


def landmarks(samples: Audio) -> Landmarks:
    """Return the landmarks of a clip, at `RATE`; none of one that is silent from `LOWEST` to `HIGHEST`.

    Parameters
    ----------
    samples : Audio
        shape=(n_samples,), at `RATE`.
    """
    samples = samples - samples.mean()
    if np.abs(samples).max(initial=0.0) < QUIETEST or _share(samples) < LEAST_SHARE:
        return Landmarks(np.zeros(0, dtype=np.intp), np.zeros((0, SHAPE[0] * SHAPE[1] - 1), np.float32))
    power = _power(samples)
    frames = np.unique(np.concatenate([_peaks(region) for region in np.split(power, N_REGIONS, axis=1)]))
    logarithm = np.log(power + FLOOR * power.max())
    patches = logarithm[frames[:, None] + np.arange(-CONTEXT, CONTEXT + 1)]
    coefficients = np.einsum("nfb,tf,kb->ntk", patches, _TIME, _BAND).reshape(len(frames), -1)[:, 1:]
    scale = np.sqrt(patches.shape[1] * patches.shape[2])
    return Landmarks((frames - CONTEXT) * HOP, (coefficients / scale).astype(np.float32))


def _share(samples: Audio) -> float:
    """Return the share of the energy of a clip in the bands, but for the edge of the lowest one."""
    energy = np.abs(rfft(samples)) ** 2
    frequency = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(energy[(frequency > LOWEST + 50) & (frequency < HIGHEST)].sum() / energy.sum())


def _power(samples: Audio) -> npt.NDArray[np.float32]:
    """Return the power in every frame and band, shape=(n_frames, N_BANDS), with `CONTEXT` frames around."""
    padded = np.pad(samples, N_FFT // 2 + CONTEXT * HOP)
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP]
    spectrum = np.abs(rfft(frames * _WINDOW, axis=1)) ** 2
    power: npt.NDArray[np.float32] = (spectrum @ _FILTERS).astype(np.float32)
    return power


def _peaks(region: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Return the frames where a region of the spectrum is loudest, shape=(n_peaks,)."""
    power = np.convolve(region.sum(axis=1), np.hanning(7), "same")
    power[:CONTEXT] = power[-CONTEXT:] = 0.0
    is_peak = (maximum_filter1d(power, 2 * DISTANCE + 1) == power) & (power > 1e-2 * power.max())
    peaks = np.flatnonzero(is_peak)
    return peaks[np.argsort(-power[peaks], kind="stable")[:N_PER_REGION]]


def _filters() -> npt.NDArray[np.float32]:
    """Return triangular bands, shape=(N_FFT // 2 + 1, N_BANDS), whose corners are equal on a log scale."""
    corners = np.geomspace(LOWEST, HIGHEST, N_BANDS + 2)
    frequency = np.fft.rfftfreq(N_FFT, 1 / RATE)[:, None]
    # No band is narrower than a bin.
    width = np.maximum(np.diff(corners), RATE / N_FFT)
    rising, falling = (
        (frequency - corners[1:-1] + width[:-1]) / width[:-1],
        (corners[1:-1] + width[1:] - frequency) / width[1:],
    )
    return np.clip(np.minimum(rising, falling), 0.0, None).astype(np.float32)


_WINDOW = np.hanning(N_FFT).astype(np.float32)
_FILTERS = _filters()
_TIME = dct(np.eye(2 * CONTEXT + 1), norm="ortho", axis=0)[: SHAPE[0]].astype(np.float32)
_BAND = dct(np.eye(N_BANDS), norm="ortho", axis=0)[: SHAPE[1]].astype(np.float32)
