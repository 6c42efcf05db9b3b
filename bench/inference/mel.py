"""Mel: the power of mel bands of a recording of any length, in a bounded number of columns."""

import itertools
from collections.abc import Iterable

import librosa
import numpy as np

from bench.metrics import Floats
from bench.types import Audio

FRAME_S, HOP_S, N_MELS = 0.025, 0.010, 80
"""Length of a frame and distance of two, in s, and number of mel bands: those of Whisper."""

FFT_S, SMALLEST_FFT = 0.064, 512
"""Length of the Fourier transform of a frame in s, and the least in samples: no mel band is without a bin."""

MOST_COLUMNS = 1600
"""Largest number of columns: in a long recording, each is the mean of many frames."""


def power(blocks: Iterable[Audio], n_samples: int, sample_rate: int) -> Floats:
    """Return the mean power of mel bands in columns of equal length.

    Parameters
    ----------
    blocks : Iterable[Audio]
        Parts of the recording, in order, of any length; one at a time is in memory.
    n_samples : int
        Number of samples of all of them.
    sample_rate : int
        In Hz.

    Returns
    -------
    Floats
        shape=(N_MELS, n_columns); with a column per frame, as `librosa.feature.melspectrogram` returns them.
    """
    n_fft, hop = max(round(FFT_S * sample_rate), SMALLEST_FFT), round(HOP_S * sample_rate)
    n_frames = n_samples // hop + 1
    n_columns = min(n_frames, MOST_COLUMNS)
    total, counts = np.zeros((n_columns, N_MELS)), np.zeros((n_columns, 1))
    edge = np.zeros(n_fft // 2, dtype=np.float32)
    rest, n_done = edge, 0
    for block in itertools.chain(blocks, [edge]):
        signal = np.concatenate([rest, block])
        n_new = max(0, (len(signal) - n_fft) // hop + 1)
        rest = signal[n_new * hop :]
        if not n_new:
            continue
        frames = librosa.feature.melspectrogram(
            y=signal[: (n_new - 1) * hop + n_fft],
            sr=sample_rate,
            n_fft=n_fft,
            win_length=round(FRAME_S * sample_rate),
            hop_length=hop,
            n_mels=N_MELS,
            center=False,
        )
        columns = np.minimum((n_done + np.arange(n_new)) * n_columns // n_frames, n_columns - 1)
        np.add.at(total, columns, frames.T)
        np.add.at(counts, columns, 1)
        n_done += n_new
    return (total / np.maximum(counts, 1)).T
