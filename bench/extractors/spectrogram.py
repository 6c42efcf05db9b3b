"""Networks over log mel spectra of a fixed length: AST and CLAP."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import ASTFeatureExtractor, ASTModel, ClapAudioModelWithProjection, ClapFeatureExtractor

from bench.extractors.checkpoint import load_model, load_preprocessor
from bench.extractors.runtimes import prepare
from bench.extractors.transformer import HiddenStates
from bench.types import Audio, Frames

HOP_SECONDS = 0.01
"""Time between two spectra of AST's input, in s."""

BATCH_CLIPS = {"cpu": 4, "cuda": 64}
"""Type of device -> number of clips in a batch."""


class Ast:
    """Every hidden state of the audio spectrogram transformer, one frame every 0.1 s.

    A frame is the mean over the patches of all frequencies at one time. A clip is padded with silence to the
    length of the training clips (10.24 s), and only the frames of the clip itself are returned. Layer 0 is
    the input of the first layer; the last hidden state, with the final norm, follows the layers.

    Parameters
    ----------
    checkpoint : str
        A folder in the format of `save_pretrained`.
    precision, device, runtime : str
        As in `runtimes.prepare`.

    References
    ----------
    Gong et al., "AST: Audio spectrogram transformer", Interspeech 2021.
    """

    def __init__(
        self, checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
    ) -> None:
        model = load_model(ASTModel, checkpoint)
        config = model.config
        self.processor = load_preprocessor(ASTFeatureExtractor, checkpoint)
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(config.hidden_size)
        self.n_layers = int(config.num_hidden_layers) + 1
        self.n_params = int(model.num_parameters())
        self.max_seconds = self.padded_seconds = config.max_length * HOP_SECONDS
        self.batch_seconds = self.max_seconds * BATCH_CLIPS[torch.device(device).type]
        self.patch, self.stride = config.patch_size, config.time_stride
        self.n_bands = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
        example = torch.zeros(1, config.max_length, config.num_mel_bins)
        self.states = prepare(HiddenStates(model), example, runtime, precision, device)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_layers + 1, n_frames, dim) per clip of at most 10.24 s."""
        min_samples = round(0.025 * self.sample_rate)  # one window of the processor
        clips = [np.pad(clip, (0, max(0, min_samples - clip.size))) for clip in audio]
        inputs: Any = self.processor(clips, sampling_rate=self.sample_rate, return_tensors="pt")
        states = self.states(inputs["input_values"])[:, :, 2:]  # without the class and distillation tokens
        n_clips, n_layers, n_patches, _ = states.shape
        bands = states.reshape(n_clips, n_layers, self.n_bands, n_patches // self.n_bands, self.dim)
        return [
            frames[:, : self._n_frames(clip)] for frames, clip in zip(bands.mean(axis=2), clips, strict=True)
        ]

    def _n_frames(self, clip: Audio) -> int:
        """Return the number of frames whose patches are within a clip, at least 1."""
        n_spectra = int(clip.size / self.sample_rate / HOP_SECONDS)
        n_frames: int = (n_spectra - self.patch) // self.stride + 1
        return max(1, n_frames)


class Clap:
    """The projected audio embedding of CLAP, with norm 1: one frame per window of at most 10 s.

    A shorter clip is repeated up to 10 s by the preprocessor of CLAP.

    Parameters
    ----------
    checkpoint, precision, device, runtime : str
        As in `Ast`.

    References
    ----------
    Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption
    augmentation", ICASSP 2023.
    """

    def __init__(
        self, checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
    ) -> None:
        model = load_model(ClapAudioModelWithProjection, checkpoint)
        self.processor = load_preprocessor(ClapFeatureExtractor, checkpoint)
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(model.config.projection_dim)
        self.n_params = int(model.num_parameters())
        self.max_seconds = self.padded_seconds = float(self.processor.max_length_s)
        self.batch_seconds = self.max_seconds * BATCH_CLIPS[torch.device(device).type]
        example = self._features([np.zeros(self.sample_rate, np.float32)])
        self.embedding = prepare(_Projected(model), example, runtime, precision, device)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (1, dim) per clip of at most 10 s."""
        return list(self.embedding(self._features(audio))[:, None])

    def _features(self, audio: Sequence[Audio]) -> torch.Tensor:
        """Return the log mel spectra of clips, shape=(n_clips, n_channels, n_spectra, n_mels)."""
        inputs: Any = self.processor(list(audio), sampling_rate=self.sample_rate, return_tensors="pt")
        features: torch.Tensor = inputs["input_features"]
        return features


class _Projected(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
    """A CLAP model that returns its projected embeddings, shape=(n_clips, dim)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Any) -> Any:
        # No clip is longer than a window.
        is_longer = torch.zeros(len(features), 1, dtype=torch.bool, device=features.device)
        return torch.nn.functional.normalize(self.model(features, is_longer=is_longer).audio_embeds, dim=-1)
