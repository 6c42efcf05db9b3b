"""Declared steps between the reader and the extractor, such as ``trim=40``; part of what its numbers mean.

Conventions: samples as `audio.read` returns them, mono at the extractor's rate; they stay in [-1, 1].
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import librosa
import numpy as np

from bench.errors import UsageError
from bench.types import Audio

QUALITIES = ("QQ", "LQ", "MQ", "HQ", "VHQ")
"""Qualities of soxr's resampling, from quick to very high."""

RESAMPLE = "resample"


def trim(y: Audio, top_db: float) -> Audio:
    """Return audio without the parts at both ends that are `top_db` dB quieter than its loudest frame."""
    trimmed: Audio = librosa.effects.trim(y, top_db=top_db)[0]
    return trimmed


def scale_to_peak(y: Audio, peak_db: float) -> Audio:
    """Return audio with a peak of `peak_db` dB relative to full scale; silence does not change."""
    peak = float(np.abs(y).max())
    return _scale(y, 10 ** (peak_db / 20) / peak) if peak else y


def scale_to_rms(y: Audio, rms_db: float) -> Audio:
    """Return audio with an RMS of `rms_db` dB relative to full scale, or the highest that fits [-1, 1]."""
    rms, peak = float(np.sqrt(np.mean(np.square(y, dtype=np.float64)))), float(np.abs(y).max())
    return _scale(y, min(10 ** (rms_db / 20) / rms, 1 / peak)) if rms else y


def preemphasise(y: Audio, coefficient: float) -> Audio:
    """Return ``(y[n] - coefficient * y[n - 1]) / (1 + coefficient)``; the divisor keeps it in [-1, 1]."""
    return _scale(librosa.effects.preemphasis(y, coef=coefficient, zi=[0.0]), 1 / (1 + coefficient))


def _scale(y: Audio, gain: float) -> Audio:
    scaled: Audio = (y * np.float32(gain)).clip(-1.0, 1.0).astype(np.float32, copy=False)
    return scaled


@dataclass(frozen=True, slots=True)
class Transform:
    """A step of preprocessing: its function, default value, and the bounds of its value."""

    function: Callable[[Audio, float], Audio]
    default: float
    lowest: float
    highest: float


STEPS: Mapping[str, Transform] = {
    "trim": Transform(trim, 60.0, 1.0, 120.0),
    "peak": Transform(scale_to_peak, -1.0, -60.0, 0.0),
    "rms": Transform(scale_to_rms, -25.0, -80.0, 0.0),
    "preemphasis": Transform(preemphasise, 0.97, 0.0, 1.0),
}
"""Name -> step; ``resample`` is declared like a step but done by the reader."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Steps in their order, and the quality of the resampling before them.

    Parameters
    ----------
    steps : tuple[tuple[str, float], ...]
        Names from `STEPS` with their values.
    quality : str
        One of `QUALITIES`.
    """

    steps: tuple[tuple[str, float], ...] = ()
    quality: str = "HQ"

    def apply(self, y: Audio) -> Audio:
        """Return audio, shape=(n_samples,), after all steps."""
        for name, value in self.steps:
            y = STEPS[name].function(y, value)
        return y


def identity(preprocessing: Preprocessing) -> Mapping[str, object]:
    """Return everything that changes the samples: the steps, the quality and the version of librosa."""
    steps = preprocessing.steps
    versions = {"steps": steps, "librosa": version("librosa")} if steps else {}
    return {"quality": preprocessing.quality, **versions}


def parse(texts: Sequence[str]) -> Preprocessing:
    """Return the preprocessing that texts such as ``NAME`` or ``NAME=VALUE`` declare.

    Raises
    ------
    UsageError
        If a name is unknown or a value is out of bounds.

    Examples
    --------
    >>> parse(["trim=40", "peak"])
    Preprocessing(steps=(('trim', 40.0), ('peak', -1.0)), quality='HQ')
    """
    quality = Preprocessing().quality
    steps: list[tuple[str, float]] = []
    for text in texts:
        name, _, value = text.partition("=")
        if name == RESAMPLE and value in QUALITIES:
            quality = value
            continue
        if name not in STEPS:
            names, qualities = ", ".join(STEPS), "|".join(QUALITIES)
            raise UsageError(f"step '{text}' is unknown; expected {names} or resample={qualities}")
        step = STEPS[name]
        try:
            number = float(value) if value else step.default
        except ValueError:
            number = np.nan
        if not step.lowest <= number <= step.highest:
            raise UsageError(f"step '{text}': expected a value from {step.lowest:g} to {step.highest:g}")
        steps.append((name, number))
    return Preprocessing(tuple(steps), quality)
