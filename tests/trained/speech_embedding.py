"""Google's speech embedding, an ONNX network: 96 values per 0.76 s, every 80 ms.

References
----------
Lin et al., "Training keyword spotters with limited and synthesized speech data", ICASSP 2020.
"""

from pathlib import Path

import numpy as np
import openvino

FOLDER = Path(__file__).parent
WINDOW, HOP = 76, 8
"""Length of a window and the time between two, in mel frames of 10 ms."""

MIN_SAMPLES = 12_640
"""Samples behind one window."""


class SpeechEmbedding:
    sample_rate = 16000
    dim = 96
    files = ("melspectrogram.onnx", "embedding_model.onnx")

    def __init__(self) -> None:
        self.mel, self.network = (openvino.Core().compile_model(FOLDER / name, "CPU") for name in self.files)

    def embed(self, audio):
        return [self.frames(y) for y in audio]

    def frames(self, y):
        y = np.pad(y, (0, max(0, MIN_SAMPLES - y.size)))
        mel = self.mel((y * 32767)[None])[0].reshape(-1, 32) / 10 + 2
        windows = np.stack([mel[start : start + WINDOW] for start in range(0, len(mel) - WINDOW + 1, HOP)])
        return self.network(windows[..., None])[0].reshape(-1, 96)
