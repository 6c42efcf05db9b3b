"""Random changes to copies of the training clips, such as ``stretch=0.8:1.25``; never to a tested clip."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from bench.audio import gains
from bench.errors import UsageError
from bench.types import Audio


def stretch(y: Audio, sample_rate: int, rate: float, _: np.random.Generator) -> Audio:
    """Return audio that is `rate` times as fast, at the same pitch."""
    from audiomentations import TimeStretch  # it loads scipy.signal, which few runs need

    transform = TimeStretch(leave_length_unchanged=False)
    transform.parameters = {"should_apply": True, "rate": rate}
    transform.freeze_parameters()
    faster: Audio = transform(y, sample_rate)
    return faster if faster.size else y


def shift_pitch(y: Audio, sample_rate: int, semitones: float, _: np.random.Generator) -> Audio:
    """Return audio that is `semitones` higher, at the same speed."""
    from audiomentations import PitchShift

    transform = PitchShift()
    transform.parameters = {"should_apply": True, "num_semitones": semitones}
    transform.freeze_parameters()
    higher: Audio = transform(y, sample_rate)
    return higher


def add_noise(y: Audio, sample_rate: int, snr_db: float, rng: np.random.Generator) -> Audio:
    """Return audio with white noise, at an SNR in dB over its active parts; silence does not change."""
    noise = rng.standard_normal(y.size, dtype=np.float32)
    speech_gain, noise_gain = gains(y, noise, snr_db, sample_rate)
    mixture: Audio = (speech_gain * y + noise_gain * noise).astype(np.float32) if noise_gain else y
    return mixture


@dataclass(frozen=True, slots=True)
class Perturbation:
    """An augmentation: its function, default range, and the bounds of its value."""

    function: Callable[[Audio, int, float, np.random.Generator], Audio]
    default: tuple[float, float]
    lowest: float
    highest: float


AUGMENTATIONS: Mapping[str, Perturbation] = {
    "stretch": Perturbation(stretch, (0.8, 1.25), 0.1, 10.0),
    "pitch": Perturbation(shift_pitch, (-2.0, 2.0), -24.0, 24.0),
    "noise": Perturbation(add_noise, (5.0, 30.0), -20.0, 100.0),
}
"""Name -> augmentation."""


def identity() -> Mapping[str, str]:
    """Return the versions of the libraries that change the samples."""
    return {name: version(name) for name in ("audiomentations", "python-stretch")}


Changes = tuple[tuple[str, float, float], ...]
"""Names from `AUGMENTATIONS`, each with the lowest and highest value to draw, uniformly."""


def parse(texts: Sequence[str]) -> Changes:
    """Return the changes that texts such as ``NAME`` or ``NAME=LOW:HIGH`` declare.

    Raises
    ------
    UsageError
        If a name is unknown, or a range is malformed or out of bounds.

    Examples
    --------
    >>> parse(["stretch", "pitch=-1:1"])
    (('stretch', 0.8, 1.25), ('pitch', -1.0, 1.0))
    """
    changes = []
    for text in texts:
        name, _, value = text.partition("=")
        if name not in AUGMENTATIONS:
            raise UsageError(f"augmentation '{text}' is unknown; expected {', '.join(AUGMENTATIONS)}")
        augmentation = AUGMENTATIONS[name]
        lowest, highest = augmentation.lowest, augmentation.highest
        try:
            low, high = map(float, value.split(":")) if value else augmentation.default
        except ValueError:
            low, high = np.nan, np.nan
        if not lowest <= low <= high <= highest:
            raise UsageError(
                f"augmentation '{text}': expected {name}=LOW:HIGH within {lowest:g} to {highest:g}"
            )
        changes.append((name, low, high))
    return tuple(changes)


def apply(changes: Changes, y: Audio, sample_rate: int, seed: int) -> Audio:
    """Return audio, shape=(n_samples,), after all changes; the seed draws their values."""
    if not changes:
        return y
    rng = np.random.default_rng(seed)
    for name, low, high in changes:
        y = AUGMENTATIONS[name].function(y, sample_rate, rng.uniform(low, high), rng)
    peak = float(np.abs(y).max())
    scaled: Audio = (y / max(peak, 1.0)).astype(np.float32)
    return scaled
