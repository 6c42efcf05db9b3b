"""Voice activity: where in a recording somebody speaks, by silero-vad."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.types import Audio

RATE = 16_000
"""Rate of the audio, in Hz."""

FRAME = 512
"""Samples behind one probability: 32 ms."""

MARGIN = 10 * FRAME
"""Samples of silence around a recording: the network misses a voice that starts with the first sample."""

LEVEL_FLOOR = 1e-10
"""Power of a frame of digital silence, at -100 dB."""

Span = tuple[float, float]
"""Start and end, in s."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Where a recording has a voice.

    Parameters
    ----------
    curve : np.ndarray, shape=(n_frames,)
        Probability of a voice in every frame of 32 ms; without silero-vad, the level in dB. Pauses are low.
    spans : tuple[Span, ...] | None
        Parts with a voice; None without silero-vad.
    """

    curve: np.ndarray
    spans: tuple[Span, ...] | None

    def within(self, start: float, end: float) -> tuple[Span, ...] | None:
        """Return the parts with a voice between two times in s, cut at them; None without silero-vad."""
        if self.spans is None:
            return None
        cut = ((max(start, first), min(end, last)) for first, last in self.spans)
        return tuple((first, last) for first, last in cut if first < last)


class VoiceDetector:
    """Finds voices with silero-vad, whose weights are in its package; without it, measures levels alone.

    Attributes
    ----------
    is_installed : bool
        Whether silero-vad is here.

    References
    ----------
    Silero Team, "Silero VAD: pre-trained enterprise-grade voice activity detector", 2024,
    https://github.com/snakers4/silero-vad.
    """

    def __init__(self) -> None:
        self._silero = _silero()
        self.is_installed = self._silero is not None
        self._network = _network(self._silero) if self._silero else None

    def activity(self, audio: Audio) -> Activity:
        """Return where a recording has a voice.

        Parameters
        ----------
        audio : Audio
            shape=(n_samples,), float32 in [-1, 1], at 16 kHz.
        """
        if self._silero is None or self._network is None:
            return Activity(_levels(audio), None)
        import torch  # silero-vad needs it

        margin = np.pad(audio, MARGIN)
        with torch.inference_mode():
            probabilities = self._network.audio_forward(torch.from_numpy(margin)[None], RATE)[0].numpy()
        regions = self._silero.get_speech_timestamps_from_probs(
            probabilities.tolist(), sampling_rate=RATE, audio_length_samples=margin.size
        )
        ends = [(region["start"] - MARGIN, region["end"] - MARGIN) for region in regions]
        spans = ((max(start, 0) / RATE, min(end, audio.size) / RATE) for start, end in ends)
        n_frames = -(-audio.size // FRAME)
        curve = probabilities[MARGIN // FRAME :][:n_frames]
        return Activity(curve, tuple((start, end) for start, end in spans if start < end))


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


def _levels(audio: Audio) -> np.ndarray:
    """Return the power of every frame, in dB of full scale."""
    frames = np.pad(audio, (0, -audio.size % FRAME)).reshape(-1, FRAME)
    return 10 * np.log10(np.mean(frames**2, axis=1) + LEVEL_FLOOR)
