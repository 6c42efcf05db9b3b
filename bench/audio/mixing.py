"""Levels of speech and the gains that give a mixture its SNR."""

import numpy as np
import scipy

from bench.types import Audio

MARGIN_DB = 15.9
"""Distance between the active level and the threshold of activity, in dB (ITU-T P.56)."""

MIXER = 1
"""Version of the mixing, part of the digest of every mixture."""


def gains(speech: Audio, noise: Audio, snr_db: float, sample_rate: int) -> tuple[float, float]:
    """Return the factors for speech and noise that give their sum an SNR and keep it in [-1, 1].

    The level of the speech is its active level, so pauses change nothing; the level of the noise is its power
    over the whole clip. Both factors are 0 if either signal is silent.

    Parameters
    ----------
    speech, noise : Audio
        shape=(n_samples,).
    snr_db : float
        In dB.
    sample_rate : int
        In Hz.
    """
    noise_power = float(np.mean(np.square(noise, dtype=np.float64)))
    level_db = active_level(speech, sample_rate)
    if noise_power == 0 or level_db == -np.inf:
        return 0.0, 0.0
    gain = 10 ** ((level_db - snr_db - 10 * np.log10(noise_power)) / 20)
    peak = float(np.abs(speech + gain * noise).max())
    # Rounding to float32 may add half a step; the last factor keeps the sum below full scale.
    scale = min(1.0, (1 - 1e-6) / peak)
    return scale, scale * gain


def active_level(speech: Audio, sample_rate: int) -> float:
    """Return the level of the active parts of speech, in dB relative to full scale; -inf for silence.

    Method B of ITU-T P.56 (2011): the envelope is smoothed twice with 30 ms. A part is active from a sample
    above a threshold until 200 ms later. The active level is the one with a threshold `MARGIN_DB` below it.

    Parameters
    ----------
    speech : Audio
        shape=(n_samples,).
    sample_rate : int
        In Hz.
    """
    power = float(np.sum(np.square(speech, dtype=np.float64)))
    if power == 0:
        return -np.inf
    decay = np.exp(-1 / (0.03 * sample_rate))
    envelope = np.abs(speech).astype(np.float64)
    for _ in range(2):
        envelope = scipy.signal.lfilter([1 - decay], [1, -decay], envelope)
    # Halvings of the envelope's maximum, not of full scale: then the level follows every gain exactly.
    thresholds = envelope.max() / 2.0 ** np.arange(20)
    positions, hangover = np.arange(envelope.size), round(0.2 * sample_rate)
    levels_db = []
    for threshold in thresholds:
        # For every sample, the last one before it that exceeded the threshold.
        last_active = np.maximum.accumulate(np.where(envelope >= threshold, positions, -np.inf))
        n_active = np.count_nonzero(positions - last_active <= hangover)
        levels_db.append(10 * np.log10(power / n_active))
    margins = levels_db - 20 * np.log10(thresholds)
    above = max(int(np.argmax(margins >= MARGIN_DB)), 1)
    return float(np.interp(MARGIN_DB, margins[above - 1 : above + 1], levels_db[above - 1 : above + 1]))
