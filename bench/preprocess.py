"""Declared steps between the reader and the extractor, such as ``trim=40``; part of what its numbers mean.

Conventions: samples as `audio.read` gives them, mono at the extractor's rate, and they stay in [-1, 1].
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import librosa
import numpy as np

from bench.errors import UsageError
from bench.types import Audio

QUALITIES = ("QQ", "LQ", "MQ", "HQ", "VHQ")
"""The qualities of soxr, from quick to very high."""

RESAMPLE = "resample"


def trimmed(y: Audio, top_db: float) -> Audio:
    """Return audio without what is quieter than its loudest frame by so many dB at both ends."""
    kept: Audio = librosa.effects.trim(y, top_db=top_db)[0]
    return kept


def to_peak(y: Audio, peak_db: float) -> Audio:
    """Return audio whose peak is so many dB relative to full scale; silence stays as it is."""
    peak = float(np.abs(y).max())
    return _scaled(y, 10 ** (peak_db / 20) / peak) if peak else y


def to_rms(y: Audio, rms_db: float) -> Audio:
    """Return audio whose RMS is so many dB relative to full scale, or less if it would exceed [-1, 1]."""
    rms, peak = float(np.sqrt(np.mean(np.square(y, dtype=np.float64)))), float(np.abs(y).max())
    return _scaled(y, min(10 ** (rms_db / 20) / rms, 1 / peak)) if rms else y


def emphasised(y: Audio, coefficient: float) -> Audio:
    """Return ``y[n] - coefficient * y[n - 1]``, over 1 + coefficient, which it can reach."""
    return _scaled(librosa.effects.preemphasis(y, coef=coefficient, zi=[0.0]), 1 / (1 + coefficient))


def _scaled(y: Audio, gain: float) -> Audio:
    scaled: Audio = (y * np.float32(gain)).clip(-1.0, 1.0).astype(np.float32, copy=False)
    return scaled


@dataclass(frozen=True, slots=True)
class _Kind:
    """A step's function, its value if none is given, and the lowest and highest one."""

    function: Callable[[Audio, float], Audio]
    default: float
    lowest: float
    highest: float


KINDS: Mapping[str, _Kind] = {
    "trim": _Kind(trimmed, 60.0, 1.0, 120.0),
    "peak": _Kind(to_peak, -1.0, -60.0, 0.0),
    "rms": _Kind(to_rms, -25.0, -80.0, 0.0),
    "preemphasis": _Kind(emphasised, 0.97, 0.0, 1.0),
}
"""What a step may be called, besides ``resample``."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps in their order, and the quality of the resampling before them.

    Parameters
    ----------
    named : tuple[tuple[str, float], ...]
        Names from `KINDS` with their values.
    quality : str
        One of `QUALITIES`.
    """

    named: tuple[tuple[str, float], ...] = ()
    quality: str = "HQ"

    def apply(self, y: Audio) -> Audio:
        """Return what the steps make of audio."""
        for name, value in self.named:
            y = KINDS[name].function(y, value)
        return y


def identity(steps: Steps) -> Mapping[str, object]:
    """Return what of the steps changes the samples: they themselves, and the version of who makes them."""
    own = {"steps": steps.named, "librosa": version("librosa")} if steps.named else {}
    return {"quality": steps.quality, **own}


def parse(texts: Sequence[str]) -> Steps:
    """Return the steps that ``NAME`` or ``NAME=VALUE`` describe.

    Raises
    ------
    UsageError
        If a name is unknown or a value is none of its.

    Examples
    --------
    >>> parse(["trim=40", "peak"])
    Steps(named=(('trim', 40.0), ('peak', -1.0)), quality='HQ')
    """
    quality = Steps().quality
    named: list[tuple[str, float]] = []
    for text in texts:
        name, _, value = text.partition("=")
        if name == RESAMPLE and value in QUALITIES:
            quality = value
            continue
        if name not in KINDS:
            known = ", ".join(KINDS)
            raise UsageError(f"step '{text}' is unknown; expected {known} or resample={'|'.join(QUALITIES)}")
        kind = KINDS[name]
        try:
            number = float(value) if value else kind.default
        except ValueError:
            number = np.nan
        if not kind.lowest <= number <= kind.highest:
            raise UsageError(f"step '{text}': expected a value from {kind.lowest:g} to {kind.highest:g}")
        named.append((name, number))
    return Steps(tuple(named), quality)
