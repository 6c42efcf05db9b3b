"""Background: parts of a recording lowered to what its quietest moments sound like."""

from collections.abc import Sequence
from typing import NamedTuple

import librosa
import numpy as np

from bench.types import Audio

FFT_SECONDS = 0.032
"""Length of the windows of the short-time Fourier transform, in s."""

BACKGROUND = 0.1
"""Quantile over time of the magnitudes at a frequency that counts as the background there."""


class Part(NamedTuple):
    """A part of a recording: samples and frequencies, in Hz, from the first to the last."""

    start: int
    end: int
    low: float
    high: float


def background(audio: Audio, rate: int) -> Audio:
    """Return the recording without what is louder than its background, at the rate in Hz."""
    return lowered(audio, rate, [Part(0, len(audio), 0, rate)])[0]


def lowered(audio: Audio, rate: int, parts: Sequence[Part]) -> list[Audio]:
    """Return the recording once per part, with its magnitudes there lowered to the background."""
    n_fft = 2 * round(FFT_SECONDS * rate / 2)
    hop = n_fft // 4
    spectrum = librosa.stft(
        librosa.util.fix_length(audio, size=max(len(audio), n_fft)), n_fft=n_fft, hop_length=hop
    )
    magnitude = np.abs(spectrum)
    level = np.quantile(magnitude, BACKGROUND, axis=1, keepdims=True)
    quiet = spectrum * np.minimum(1, level / np.maximum(magnitude, np.finfo(np.float32).tiny))
    samples = np.arange(spectrum.shape[1]) * hop
    frequencies = librosa.fft_frequencies(sr=rate, n_fft=n_fft)
    clips = []
    for part in parts:
        is_inside = (samples >= part.start) & (samples <= part.end)
        is_in_band = (frequencies >= part.low) & (frequencies <= part.high)
        mixture = np.where(is_inside & is_in_band[:, np.newaxis], quiet, spectrum)
        clips.append(librosa.istft(mixture, hop_length=hop, n_fft=n_fft, length=len(audio)))
    return clips
