"""Alignment: how alike two pieces of audio are at the best lag and speed."""

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import resample

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

FINER = 4
"""Steps of a lag in one sample."""

SAME_SPEED = 0.95
"""Similarity at which no other speed is tried."""

HOPELESS = 0.6
"""Similarity of a short window at which no longer one is tried."""

SEARCH = ((RATE // 12, 0.0015, 10), (RATE // 4, 0.0003, 4), (REACH, 0.0001, 3))
"""Half of a window in samples, distance of the speeds that are tried in it, and their number on either side.

The first range is 1.5 % slower and faster. A longer window tells finer differences of speed.
"""

N_WINDOWS = 6
"""Number of windows of a long pair of clips that are compared."""

Point = tuple[int, int]
"""One moment in two clips, in samples."""


def whitened(samples: Audio) -> Audio:
    """Return the band of a clip that copies keep, its amplitudes raised in proportion to their frequency.

    MP3 and a lower rate remove what is higher. Without the raise, two vowels of one voice are alike.
    """
    size = next_fast_len(len(samples) + RATE // 20, real=True)
    frequency = np.fft.rfftfreq(size, 1 / RATE)
    gain = np.clip((frequency - LOWEST) / 50, 0, 1) * np.clip((HIGHEST - frequency) / 200, 0, 1) * frequency
    band: Audio = irfft(rfft(samples, size) * (gain / HIGHEST).astype(np.float32), size)[: len(samples)]
    return band


def glance(one: Audio, other: Audio, point: Point) -> float:
    """Return the highest correlation of two short windows around a point, at three speeds, in [0, 1]."""
    window, region = _cut(one, point[0], GLANCE), _cut(other, point[1], GLANCE + MARGIN)
    return max(_correlation(_resampled(window, speed), region, finer=1)[0] for speed in (0.99, 1.0, 1.01))


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
    best, speed, lag = _best_speed(one, other, point, shared)
    if before + after <= 3 * REACH or best < HOPELESS:
        return best
    total = weight = 0.0
    for offset in np.linspace(REACH - before, after - REACH, N_WINDOWS):
        window = _resampled(_cut(one, point[0] + round(offset), REACH), speed)
        region = _cut(other, point[1] + lag + round(offset * speed), REACH + 2 * MARGIN)
        energy = float(np.square(window).sum())
        total += energy * _correlation(window, region)[0]
        weight += energy
    return total / weight if weight else 0.0


def _best_speed(one: Audio, other: Audio, point: Point, shared: Point) -> tuple[float, float, int]:
    """Return the highest correlation around a point, and its speed and lag in samples."""

    def attempt(speed: float, reach: int) -> tuple[float, float, int]:
        before, after = (min(length, reach) for length in shared)
        window = _resampled(one[point[0] - before : point[0] + after], speed)
        region = _between(other, point[1] - before - MARGIN, point[1] + after + MARGIN)
        height, start = _correlation(window[: len(region)], region)
        return height, speed, start - MARGIN + round(before * (speed - 1))

    best = attempt(1.0, REACH)
    speed = 1.0
    for reach, step, n_steps in SEARCH if best[0] < SAME_SPEED else ():
        best = max(attempt(speed + step * number, reach) for number in range(-n_steps, n_steps + 1))
        speed = best[1]
        if best[0] < HOPELESS:
            break
    return best


def _correlation(window: Audio, region: Audio, finer: int = FINER) -> tuple[float, int]:
    """Return the highest absolute correlation of a window within a region, and where it starts.

    Parameters
    ----------
    finer : int
        Steps of a lag in one sample.
    """
    size = next_fast_len(len(region), real=True)
    n_lags = len(region) - len(window) + 1
    product = rfft(region, size) * rfft(window, size).conj()
    heights = np.abs(irfft(product, size * finer))[: (n_lags - 1) * finer + 1] * finer
    energy = np.cumsum(np.append(0.0, np.square(region, dtype=float)))
    norm = float(np.sqrt(np.square(window, dtype=float).sum()))
    if not norm or not energy[-1]:
        return 0.0, 0
    norms = np.sqrt(np.maximum(energy[len(window) :] - energy[:n_lags], 1e-9 * energy[-1]))
    heights = heights / (norm * np.repeat(norms, finer)[: len(heights)])
    peak = int(heights.argmax())
    return min(float(heights[peak]), 1.0), round(peak / finer)


def _resampled(window: Audio, speed: float) -> Audio:
    """Return a window that lasts `speed` times as long."""
    length = round(len(window) * speed)
    stretched: Audio = window if length == len(window) else resample(window, length)
    return stretched


def _cut(samples: Audio, centre: int, reach: int) -> Audio:
    return _between(samples, centre - reach, centre + reach)


def _between(samples: Audio, first: int, last: int) -> npt.NDArray[np.float32]:
    """Return the samples from `first` to before `last`, with zeros where there are none."""
    part = samples[max(first, 0) : max(last, 0)]
    left = min(max(-first, 0), last - first)
    return np.pad(part, (left, last - first - left - len(part)))
