"""Alignment: how alike two pieces of audio are at the best lag and speed."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy
from scipy.fft import irfft, next_fast_len, rfft

from bench.audio.landmarks import HIGHEST, LOWEST, RATE
from bench.types import Audio

MARGIN = RATE // 50
"""Lags that are tried around the expected one, in samples: 20 ms."""

REACH = RATE // 2
"""Longest half of a window that is compared, in samples: 0.5 s."""

GLANCE = RATE // 20
"""Half of the window of a first look, in samples: 50 ms."""

SHORTEST = RATE // 10
"""Shortest part that two clips must share, in samples: 0.1 s."""

FINER, GLANCE_FINER = 4, 2
"""Steps of a lag in one sample, and at a first look."""

SAME_SPEED = 0.95
"""Similarity at which no other speed is tried."""

HOPELESS = 0.75
"""Similarity of a short window at which no longer one is tried."""

PEAK = RATE // 1000
"""Lags on either side of the best one that belong to its peak, in samples: 1 ms."""

STANDS_OUT = 0.01
"""Least height of the best lag above all others: a steady tone is like itself at every period."""

SEARCH = ((RATE // 12, 0.0015, 10), (RATE // 4, 0.0003, 4), (REACH, 0.0001, 3))
"""Half of a window in samples, distance of the speeds that are tried in it, and their number on either side.

The first range is 1.5 % slower and faster. A longer window tells finer differences of speed.
"""

N_WINDOWS = 6
"""Number of windows of a long pair of clips that are compared."""

Point = tuple[int, int]
"""One moment in two clips, in samples."""


@dataclass(frozen=True, slots=True)
class Match:
    """The best lag of a window: its height and that of the highest other peak, in [0, 1]; lag in samples."""

    height: float
    repeat: float
    lag: int
    speed: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Samples in which windows are looked for.

    Parameters
    ----------
    size : int
        Number of samples of the transform.
    spectrum : npt.NDArray[np.complex64]
        shape=(n_bins,).
    energy : npt.NDArray[np.float64]
        Of the samples before each one, and of all, shape=(n_samples + 1,).
    """

    size: int
    spectrum: npt.NDArray[np.complex64]
    energy: npt.NDArray[np.float64]


def whitened(samples: Audio) -> Audio:
    """Return the band of a clip that copies keep, its amplitudes raised in proportion to their frequency.

    MP3 and a lower rate remove what is higher. Without the raise, two vowels of one voice are alike.
    """
    size = next_fast_len(len(samples) + RATE // 20, real=True)
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    gain = np.clip((frequency - LOWEST) / 50, 0, 1) * np.clip((HIGHEST - frequency) / 200, 0, 1) * frequency
    band: Audio = irfft(rfft(samples, size) * (gain / HIGHEST).astype(np.float32), size)[: len(samples)]
    return band


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Spectra of a short window around a moment, for a first look.

    Parameters
    ----------
    windows : npt.NDArray[np.complex64]
        Conjugates of the spectra of the window at three speeds, each of norm 1, shape=(3, n_bins).
    region : npt.NDArray[np.complex64]
        Spectrum of the window with `MARGIN` around it, shape=(n_bins,).
    norms : npt.NDArray[np.float32]
        Of the part of the region at every lag, shape=(n_lags,).
    """

    windows: npt.NDArray[np.complex64]
    region: npt.NDArray[np.complex64]
    norms: npt.NDArray[np.float32]


def moment(samples: Audio, time: int) -> Moment:
    """Return the spectra around a time in samples; `samples` are those of `whitened`."""
    region = _cut(samples, time, GLANCE + MARGIN)
    window = region[MARGIN:-MARGIN]
    norm = float(np.sqrt(np.square(window).sum())) or 1.0
    spectra = [rfft(_resampled(window / norm, speed), len(region)).conj() for speed in (0.99, 1.0, 1.01)]
    norms = np.repeat(_norms(_energy(region), len(window)), GLANCE_FINER)
    return Moment(np.stack(spectra), rfft(region), norms)


def glance(one: Moment, other: Moment) -> float:
    """Return the highest absolute correlation of two moments at all lags and speeds, about in [0, 1]."""
    size = 2 * (GLANCE + MARGIN) * GLANCE_FINER
    heights = irfft(one.windows * other.region, size)[:, : len(other.norms)] * GLANCE_FINER
    return float((np.abs(heights) / other.norms).max())


def similarity(one: Audio, other: Audio, point: Point) -> float:
    """Return the correlation of what two clips share at the best lag and speed, in [0, 1].

    Long clips are compared in `N_WINDOWS` windows, which count by their energy. The sign does not matter.

    Parameters
    ----------
    one, other : Audio
        Of `whitened`, shape=(n_samples,).
    point : Point
        A moment that may be the same in both.
    """
    shared = before, after = min(point), min(len(one) - point[0], len(other) - point[1])
    if before + after < max(SHORTEST, min(len(one), len(other)) // 2):
        return 0.0
    best = _best_match(one, other, point, shared)
    if best.height - best.repeat < STANDS_OUT:
        return 0.0
    if before + after <= 3 * REACH or best.height < HOPELESS:
        return best.height
    total = weight = 0.0
    for offset in np.linspace(REACH - before, after - REACH, N_WINDOWS):
        window = _resampled(_cut(one, point[0] + round(offset), REACH), best.speed)
        region = _cut(other, point[1] + best.lag + round(offset * best.speed), REACH + 2 * MARGIN)
        energy = float(np.square(window).sum())
        total += energy * _match(window, _region(region)).height
        weight += energy
    return total / weight if weight else 0.0


def _best_match(one: Audio, other: Audio, point: Point, shared: Point) -> Match:
    """Return the best match around a point at all lags and speeds; its lag is that of the point."""

    def attempt(speeds: Iterable[float], reach: int) -> Match:
        before, after = (min(length, reach) for length in shared)
        window = one[point[0] - before : point[0] + after]
        region = _region(_between(other, point[1] - before - MARGIN, point[1] + after + MARGIN))
        matches = {float(speed): _match(_resampled(window, float(speed)), region) for speed in speeds}
        speed, match = max(matches.items(), key=lambda item: item[1].height)
        return replace(match, speed=speed, lag=match.lag - MARGIN + round(before * (speed - 1)))

    best = attempt([1.0], REACH)
    for reach, step, n_steps in SEARCH if best.height < SAME_SPEED else ():
        best = attempt(best.speed + step * np.arange(-n_steps, n_steps + 1), reach)
        if best.height < HOPELESS:
            break
    return best


def _region(samples: Audio) -> Region:
    size = next_fast_len(len(samples), real=True)
    return Region(size, rfft(samples, size), _energy(samples))


def _match(window: Audio, region: Region) -> Match:
    """Return where a window is most like a part of a longer region."""
    norm = float(np.sqrt(np.square(window).sum()))
    if not norm or not region.energy[-1]:
        return Match(0.0, 0.0, 0)
    norms = np.repeat(_norms(region.energy, len(window)), FINER)
    product = region.spectrum * rfft(window, region.size).conj()
    heights = np.abs(irfft(product, region.size * FINER)[: len(norms)]) * FINER / (norm * norms)
    peak = int(heights.argmax())
    height = min(float(heights[peak]), 1.0)
    heights[max(peak - PEAK * FINER, 0) : peak + PEAK * FINER] = 0.0
    return Match(height, float(heights.max()), round(peak / FINER))


def _energy(samples: Audio) -> npt.NDArray[np.float64]:
    """Return the energy of the samples before each one, and of all, shape=(n_samples + 1,)."""
    energy: npt.NDArray[np.float64] = np.cumsum(np.append(0.0, np.square(samples, dtype=float)))
    return energy


def _norms(energy: npt.NDArray[np.float64], length: int) -> npt.NDArray[np.float32]:
    """Return the norm of every part of a length of samples with such an energy, shape=(n_lags,)."""
    parts = np.maximum(energy[length:] - energy[: len(energy) - length], 1e-9 * energy[-1] + 1e-20)
    norms: npt.NDArray[np.float32] = np.sqrt(parts).astype(np.float32)
    return norms


def _resampled(window: Audio, speed: float) -> Audio:
    """Return a window that lasts `speed` times as long."""
    length = round(len(window) * speed)
    stretched: Audio = window if length == len(window) else scipy.signal.resample(window, length)
    return stretched


def _cut(samples: Audio, centre: int, reach: int) -> Audio:
    return _between(samples, centre - reach, centre + reach)


def _between(samples: Audio, first: int, last: int) -> npt.NDArray[np.float32]:
    """Return the samples from `first` to before `last`, with zeros where there are none."""
    part = samples[max(first, 0) : max(last, 0)]
    left = min(max(-first, 0), last - first)
    return np.pad(part, (left, last - first - left - len(part)))
