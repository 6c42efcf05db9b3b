"""Loudness of a recording by ITU-R BS.1770.

References
----------
ITU-R BS.1770-5, "Algorithms to measure audio programme loudness and true-peak audio level", 2023, annex 1.
Its filters are for 48 kHz; those for other rates are the same analogue ones, as in libebur128.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import signal

from bench.types import Audio

BLOCK_SECONDS, HOP_SECONDS = 0.4, 0.1
"""Length and hop of the blocks whose power is gated, in s."""

ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0
"""A block counts above the first, in LUFS, and above the second, in LU from the mean of those."""

OFFSET = -0.691
"""Loudness of a power of 1 behind the filters, in LUFS."""


def loudness(audio: Audio, sample_rate: int) -> float | None:
    """Return the integrated loudness in LUFS; None if every block is below the absolute gate.

    Parameters
    ----------
    audio : Audio
        shape=(n_samples,), in [-1, 1]. One shorter than a block is one block.
    sample_rate : int
        In Hz. What is above half of it has no part in the loudness.
    """
    weighted = signal.sosfilt(weighting(sample_rate), audio.astype(np.float64))
    size, hop = round(BLOCK_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
    size = min(size, weighted.size)
    sums = np.concatenate([[0.0], np.cumsum(weighted**2)])
    starts = np.arange(0, weighted.size - size + 1, hop)
    powers = np.maximum(sums[starts + size] - sums[starts], 0.0) / size
    powers = powers[powers > _power(ABSOLUTE_GATE)]
    if not powers.size:
        return None
    return _level(float(powers[powers > powers.mean() * 10 ** (RELATIVE_GATE / 10)].mean()))


def weighting(sample_rate: int) -> npt.NDArray[np.float64]:
    """Return the two filters of the weighting as second-order sections, shape=(2, 6)."""
    slope, quality = math.tan(math.pi * 1681.974450955533 / sample_rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    norm = 1 + slope / quality + slope**2
    shelf = [
        (high + middle * slope / quality + slope**2) / norm,
        2 * (slope**2 - high) / norm,
        (high - middle * slope / quality + slope**2) / norm,
        1.0,
        2 * (slope**2 - 1) / norm,
        (1 - slope / quality + slope**2) / norm,
    ]
    slope, quality = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    norm = 1 + slope / quality + slope**2
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (slope**2 - 1) / norm, (1 - slope / quality + slope**2) / norm]
    return np.array([shelf, high_pass])


def _level(power: float) -> float:
    """Return the loudness of a power, in LUFS."""
    return OFFSET + 10 * math.log10(power)


def _power(level: float) -> float:
    """Return the power of a loudness in LUFS."""
    return 10 ** ((level - OFFSET) / 10)
