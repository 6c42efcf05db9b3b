"""Log mel spectra, features of the short-time spectrum, and the waveform itself."""

from collections.abc import Sequence

import librosa
import numpy as np
from librosa import feature

from bench.types import Audio, Frames

SAMPLE_RATE = 16_000
WINDOW = 400
"""In samples: 25 ms."""

HOP = 160
"""In samples: 10 ms."""

N_FFT = 512
PITCH_WINDOW = 1024
"""In samples: 64 ms."""

MIN_PITCH, MAX_PITCH = 65.0, 500.0
"""Range of the pitch of voices, in Hz."""


class LogMel:
    """Log mel spectra: Hann windows of 25 ms every 10 ms, in dB with 80 dB of range.

    Parameters
    ----------
    n_mels : int
        Number of bands over 0 to 8000 Hz.

    Attributes
    ----------
    frequencies : np.ndarray, shape=(n_mels,)
        Centres of the bands, in Hz.
    """

    sample_rate = SAMPLE_RATE
    concurrent = True

    def __init__(self, n_mels: int = 80) -> None:
        self.dim = n_mels
        self.frequencies = librosa.mel_frequencies(n_mels + 2, fmax=SAMPLE_RATE / 2)[1:-1]

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_frames, n_mels) per clip; zeros pad a clip shorter than a window."""
        return [self._frames(_pad(clip)) for clip in audio]

    def _frames(self, y: Audio) -> Frames:
        power = feature.melspectrogram(
            y=y, sr=SAMPLE_RATE, n_fft=N_FFT, win_length=WINDOW, hop_length=HOP, n_mels=self.dim
        )
        return np.asarray(librosa.power_to_db(power).T, dtype=np.float32)


class Spectral:
    """Fourteen features of the spectrum, every 10 ms.

    In this order: centroid, bandwidth and roll-off (85 %) in Hz, flatness, contrast in dB in 7 bands, zero
    crossings per sample, RMS, and the pitch in Hz by YIN between 65 and 500 Hz, as librosa computes them.

    References
    ----------
    de Cheveigne and Kawahara, "YIN, a fundamental frequency estimator for speech and music", JASA 111 (4),
    2002.
    """

    sample_rate = SAMPLE_RATE
    concurrent = True
    dim = 14

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_frames, 14) per clip; zeros pad a clip shorter than a window."""
        return [self._frames(_pad(clip, PITCH_WINDOW)) for clip in audio]

    def _frames(self, y: Audio) -> Frames:
        magnitude = np.abs(librosa.stft(y, n_fft=N_FFT, win_length=WINDOW, hop_length=HOP))
        spectrum = {"S": magnitude, "sr": SAMPLE_RATE}
        pitch = librosa.yin(
            y, fmin=MIN_PITCH, fmax=MAX_PITCH, sr=SAMPLE_RATE, frame_length=PITCH_WINDOW, hop_length=HOP
        )
        rows = [
            feature.spectral_centroid(**spectrum),
            feature.spectral_bandwidth(**spectrum),
            feature.spectral_rolloff(**spectrum),
            feature.spectral_flatness(S=magnitude),
            feature.spectral_contrast(**spectrum),
            feature.zero_crossing_rate(y, frame_length=WINDOW, hop_length=HOP),
            feature.rms(y=y, frame_length=WINDOW, hop_length=HOP),
            pitch[np.newaxis],
        ]
        return np.concatenate(rows).T.astype(np.float32)


class Raw:
    """The waveform itself, for networks over waveforms: every sample at 16 kHz is a frame."""

    sample_rate = SAMPLE_RATE
    dim = 1

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_samples, 1) per clip."""
        return [clip[:, np.newaxis] for clip in audio]


def _pad(clip: Audio, min_samples: int = N_FFT) -> Audio:
    return np.pad(clip, (0, max(0, min_samples - clip.size)))
