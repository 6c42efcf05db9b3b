"""Random changes to copies of the training clips, such as ``stretch=0.8:1.25``; never to a tested clip."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from audiomentations import PitchShift, TimeStretch

from bench.audio import gains
from bench.errors import UsageError
from bench.types import Audio


def stretched(y: Audio, sample_rate: int, rate: float, _: np.random.Generator) -> Audio:
    """Return audio that is `rate` times as fast, at the same pitch."""
    transform = TimeStretch(leave_length_unchanged=False)
    transform.parameters = {"should_apply": True, "rate": rate}
    transform.freeze_parameters()
    faster: Audio = transform(y, sample_rate)
    return faster if faster.size else y


def pitched(y: Audio, sample_rate: int, semitones: float, _: np.random.Generator) -> Audio:
    """Return audio that is so many semitones higher, at the same speed."""
    transform = PitchShift()
    transform.parameters = {"should_apply": True, "num_semitones": semitones}
    transform.freeze_parameters()
    higher: Audio = transform(y, sample_rate)
    return higher


def noised(y: Audio, sample_rate: int, snr_db: float, rng: np.random.Generator) -> Audio:
    """Return audio under white noise, at an SNR in dB over its active parts; silence stays as it is."""
    noise = rng.standard_normal(y.size, dtype=np.float32)
    speech_gain, noise_gain = gains(y, noise, snr_db, sample_rate)
    mixed: Audio = (speech_gain * y + noise_gain * noise).astype(np.float32) if noise_gain else y
    return mixed


@dataclass(frozen=True, slots=True)
class _Kind:
    """A change's function, its range if none is given, and the lowest and highest value."""

    function: Callable[[Audio, int, float, np.random.Generator], Audio]
    default: tuple[float, float]
    lowest: float
    highest: float


KINDS: Mapping[str, _Kind] = {
    "stretch": _Kind(stretched, (0.8, 1.25), 0.1, 10.0),
    "pitch": _Kind(pitched, (-2.0, 2.0), -24.0, 24.0),
    "noise": _Kind(noised, (5.0, 30.0), -20.0, 100.0),
}
"""What a change may be called."""


def identity() -> Mapping[str, str]:
    """Return what changes the samples besides the changes themselves: the versions of who makes them."""
    return {name: version(name) for name in ("audiomentations", "python-stretch")}


Changes = tuple[tuple[str, float, float], ...]
"""Names from `KINDS`, each with the range from which its value is drawn, uniformly."""


def parse(texts: Sequence[str]) -> Changes:
    """Return the changes that ``NAME`` or ``NAME=LOW:HIGH`` describe.

    Raises
    ------
    UsageError
        If a name is unknown, or a range is none or beyond what the change can do.

    Examples
    --------
    >>> parse(["stretch", "pitch=-1:1"])
    (('stretch', 0.8, 1.25), ('pitch', -1.0, 1.0))
    """
    changes = []
    for text in texts:
        name, _, value = text.partition("=")
        if name not in KINDS:
            raise UsageError(f"augmentation '{text}' is unknown; expected {', '.join(KINDS)}")
        kind = KINDS[name]
        try:
            low, high = map(float, value.split(":")) if value else kind.default
        except ValueError:
            low, high = np.nan, np.nan
        if not kind.lowest <= low <= high <= kind.highest:
            bounds = f"{kind.lowest:g} to {kind.highest:g}"
            raise UsageError(f"augmentation '{text}': expected {name}=LOW:HIGH within {bounds}")
        changes.append((name, low, high))
    return tuple(changes)


def apply(changes: Changes, y: Audio, sample_rate: int, seed: int) -> Audio:
    """Return audio, shape=(n_samples,), that every change has been made to, with values drawn by the seed."""
    if not changes:
        return y
    rng = np.random.default_rng(seed)
    for name, low, high in changes:
        y = KINDS[name].function(y, sample_rate, rng.uniform(low, high), rng)
    peak = float(np.abs(y).max())
    loudest: Audio = (y / max(peak, 1.0)).astype(np.float32)
    return loudest
