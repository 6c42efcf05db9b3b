"""Mel-frequency cepstral coefficients."""

from collections.abc import Sequence

import numpy as np
from librosa.feature import delta, mfcc

from bench.types import Audio, Frames

SAMPLE_RATE = 16_000
WINDOW = 400
"""In samples: 25 ms."""

HOP = 160
"""In samples: 10 ms."""

N_FFT = 512
N_MELS = 40
DELTA_WIDTH = 9
"""In frames."""


class Mfcc:
    """MFCC frames: the first coefficients of the DCT of a log mel spectrum, and their deltas.

    Hann windows of 25 ms every 10 ms, 40 mel bands over 0 to 8000 Hz, power in dB with 80 dB of range. The
    deltas are the slopes of a line fitted over 9 frames (librosa.feature.delta).

    Parameters
    ----------
    n_mfcc : int
        Number of coefficients, the 0th included.
    deltas : bool
        Whether frames also hold the deltas of the coefficients.
    cmvn : bool
        Whether every coefficient is normalised to mean 0 and variance 1 over the clip, to remove the effect
        of the channel. Use it with heads that see frames: pooled means and deviations are constant.

    Raises
    ------
    ValueError
        If `n_mfcc` is out of range.

    References
    ----------
    Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word recognition",
    IEEE Trans. ASSP 28 (4), 1980.
    """

    sample_rate = SAMPLE_RATE
    concurrent = True

    def __init__(self, n_mfcc: int = 20, deltas: bool = True, cmvn: bool = False) -> None:
        if not 1 <= n_mfcc <= N_MELS:
            raise ValueError(f"n_mfcc is {n_mfcc}; expected 1 to {N_MELS} (the number of mel bands)")
        self.n_mfcc = n_mfcc
        self.deltas = deltas
        self.cmvn = cmvn
        self.dim = n_mfcc * (2 if deltas else 1)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_frames, dim) per clip; zeros pad a clip shorter than a window."""
        return [self._frames(clip) for clip in audio]

    def _frames(self, clip: Audio) -> Frames:
        y = np.pad(clip, (0, max(0, N_FFT - clip.size)))
        coefficients = mfcc(
            y=y,
            sr=SAMPLE_RATE,
            n_mfcc=self.n_mfcc,
            n_fft=N_FFT,
            win_length=WINDOW,
            hop_length=HOP,
            n_mels=N_MELS,
        )
        if self.deltas:
            # mode="nearest" accepts clips with fewer frames than DELTA_WIDTH; "interp" raises.
            slopes = delta(coefficients, width=DELTA_WIDTH, mode="nearest")
            coefficients = np.concatenate([coefficients, slopes])
        if self.cmvn:
            mean, std = coefficients.mean(axis=1, keepdims=True), coefficients.std(axis=1, keepdims=True)
            coefficients = (coefficients - mean) / np.maximum(std, 1e-8)
        return coefficients.T.astype(np.float32)
