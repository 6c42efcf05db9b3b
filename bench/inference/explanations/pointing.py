"""Pointing: whether the highest moment of an explanation is inside an event at a chosen place."""

import numpy as np

from bench.inference.explanations.explanation import Explainer
from bench.types import Audio

N_PLANTED = 10
"""Number of planted recordings."""

LENGTH = 4
"""Length of a planted recording, in lengths of the event: three of them are background."""

LONGEST_EVENT = 3.0
"""Longest event that is planted, in s: of a longer recording, its loudest part."""

LEVEL_DB = -20.0
"""Level of the background below the event, in dB."""


def accuracy(explain: Explainer, audio: Audio, rate: int, seed: int = 0) -> tuple[float, float]:
    """Plant a recording at random places of a background, and return how often an explainer finds it.

    The background is noise with the spectrum of the recording itself (its phases are drawn anew), so that it
    differs by its level and its structure in time alone.

    Parameters
    ----------
    audio : Audio
        The event, at the rate.
    rate : int
        In Hz.

    Returns
    -------
    tuple[float, float]
        The share of `N_PLANTED` recordings whose highest moment is inside the event, and the same share for
        the best guess without listening, the middle of the recording, both in [0, 1].

    References
    ----------
    Zhang et al., "Top-down neural attention by excitation backprop", ECCV 2016 (the pointing game).
    """
    event = loudest(audio, round(LONGEST_EVENT * rate))
    rng = np.random.default_rng(seed)
    hits = 0
    for number in range(N_PLANTED):
        # One place in each tenth of the recording, so that ten draws cover it.
        start = int((number + rng.uniform()) / N_PLANTED * (LENGTH - 1) * len(event))
        peak = explain(planted(event, start, rng)).peak * rate
        hits += start <= peak < start + len(event)
    return hits / N_PLANTED, 1 / (LENGTH - 1)


def planted(event: Audio, start: int, rng: np.random.Generator) -> Audio:
    """Return a background of `LENGTH` times the event, with the event from a sample on."""
    n_samples = LENGTH * len(event)
    magnitude = np.abs(np.fft.rfft(event, n_samples))
    noise = np.fft.irfft(magnitude * np.exp(2j * np.pi * rng.uniform(size=len(magnitude))), n_samples)
    level = np.sqrt(np.mean(np.square(event))) * 10 ** (LEVEL_DB / 20)
    recording = noise * level / max(np.sqrt(np.mean(np.square(noise))), np.finfo(np.float32).tiny)
    recording[start : start + len(event)] += event
    clip: Audio = np.clip(recording, -1, 1).astype(np.float32)
    return clip


def loudest(audio: Audio, n_samples: int) -> Audio:
    """Return the part of at most `n_samples` with the highest energy."""
    if len(audio) <= n_samples:
        return audio
    energy = np.concatenate([[0], np.cumsum(np.square(audio, dtype=np.float64))])
    start = int(np.argmax(energy[n_samples:] - energy[:-n_samples]))
    return audio[start : start + n_samples]
