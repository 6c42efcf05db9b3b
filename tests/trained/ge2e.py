"""The GE2E speaker encoder: one vector of norm 1 per window of 1.6 s, with half overlap.

References
----------
Wan et al., "Generalized end-to-end loss for speaker verification", ICASSP 2018; weights of Resemblyzer.
"""

from pathlib import Path

import librosa
import numpy as np
import torch
from safetensors.torch import load_file

WEIGHTS = Path(__file__).with_name("ge2e.safetensors")
WINDOW, HOP = 160, 80
"""Length of a window and the time between two, in mel frames of 10 ms."""

LOUDNESS = -30.0
"""Level to which quieter clips are raised, in dBFS."""


class GE2E:
    sample_rate = 16000
    dim = 256

    def __init__(self) -> None:
        weights = load_file(WEIGHTS)
        self.layers = torch.nn.ModuleDict(
            {"lstm": torch.nn.LSTM(40, 256, 3, batch_first=True), "linear": torch.nn.Linear(256, 256)}
        )
        self.layers.load_state_dict(weights)
        self.n_params = sum(tensor.numel() for tensor in weights.values())

    def embed(self, audio):
        return [self.frames(y) for y in audio]

    @torch.inference_mode()
    def frames(self, y):
        level = 10 * np.log10(np.mean(np.square(y, dtype=np.float64)) + 1e-12)
        y = y * np.float32(10 ** (max(0.0, LOUDNESS - level) / 20))
        mel = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=400, hop_length=160, n_mels=40)
        mel = np.pad(mel.T, ((0, max(0, WINDOW - mel.shape[1])), (0, 0)))
        windows = np.stack([mel[start : start + WINDOW] for start in range(0, len(mel) - WINDOW + 1, HOP)])
        _, (hidden, _) = self.layers["lstm"](torch.from_numpy(windows))
        return torch.nn.functional.normalize(torch.relu(self.layers["linear"](hidden[-1]))).numpy()
