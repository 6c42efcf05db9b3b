"""Voice activity: where in a recording somebody speaks, by silero-vad."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from bench.types import Audio

RATE = 16_000
"""Rate of the audio, in Hz."""

MARGIN = 5120
"""Samples of silence around a recording: the network misses a voice that starts with the first sample."""

Span = tuple[float, float]
"""Start and end, in s."""


class VoiceDetector:
    """Finds voices with silero-vad, whose weights are in its package.

    References
    ----------
    Silero Team, "Silero VAD: pre-trained enterprise-grade voice activity detector", 2024,
    https://github.com/snakers4/silero-vad.
    """

    def __init__(self) -> None:
        self._silero = _silero()
        self._network = _network(self._silero) if self._silero else None

    @property
    def is_available(self) -> bool:
        """Return whether silero-vad is installed."""
        return self._network is not None

    def spans(self, audio: Audio) -> tuple[Span, ...] | None:
        """Return the parts of a recording in which somebody speaks; None if silero-vad is not installed.

        Parameters
        ----------
        audio : Audio
            shape=(n_samples,), float32 in [-1, 1], at 16 kHz.
        """
        if self._silero is None or self._network is None:
            return None
        import torch  # silero-vad needs it

        padded = np.pad(audio, MARGIN)
        with torch.inference_mode():
            probabilities = self._network.audio_forward(torch.from_numpy(padded)[None], RATE)[0]
        regions = self._silero.get_speech_timestamps_from_probs(
            probabilities.tolist(), sampling_rate=RATE, audio_length_samples=padded.size
        )
        samples = ((max(r["start"] - MARGIN, 0), min(r["end"] - MARGIN, audio.size)) for r in regions)
        return tuple((start / RATE, end / RATE) for start, end in samples if start < end)


def _silero() -> Any:
    """Return the package silero-vad; None if it is not installed, or is a release before 6.2.3."""
    try:
        import torch
    except ModuleNotFoundError:
        return None
    threads = torch.get_num_threads()
    try:
        import silero_vad  # optional
    except ImportError:  # older releases need torchaudio
        return None
    finally:
        torch.set_num_threads(threads)  # its import sets it to 1, for every network of the process
    return silero_vad if hasattr(silero_vad, "get_speech_timestamps_from_probs") else None


def _network(silero: Any) -> Any:
    """Return the network of silero-vad."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its file is TorchScript, which torch deprecates
        return silero.load_silero_vad()
