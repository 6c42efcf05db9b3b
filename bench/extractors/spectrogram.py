"""Networks over log mel spectra of a fixed length: AST and CLAP."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import ASTFeatureExtractor, ASTModel, ClapAudioModelWithProjection, ClapFeatureExtractor

from bench.extractors.checkpoint import loaded, preprocessor
from bench.extractors.runtimes import prepared
from bench.extractors.transformer import HiddenStates
from bench.types import Audio, Frames

HOP_SECONDS = 0.01
"""Between the spectra that AST sees."""

BATCH_CLIPS = {"cpu": 4, "cuda": 64}


class Ast:
    """Every hidden state of the audio spectrogram transformer, a frame for each step of its patches in time.

    A frame is the mean over the patches of all frequencies, 0.1 s apart. The model sees silence behind a clip
    that is shorter than it was trained on (10.24 s); the clip's own frames count. Layer 0 is the input of the
    first layer, and behind the layers comes the last hidden state, with the final norm.

    Parameters
    ----------
    checkpoint : str
        A folder as `save_pretrained` writes it.
    precision, device, runtime : str
        As `runtimes.prepared` takes them.

    References
    ----------
    Gong et al., "AST: Audio spectrogram transformer", Interspeech 2021.
    """

    def __init__(
        self, checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
    ) -> None:
        model = loaded(ASTModel, checkpoint)
        config = model.config
        self.processor = preprocessor(ASTFeatureExtractor, checkpoint)
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(config.hidden_size)
        self.n_layers = int(config.num_hidden_layers) + 1
        self.n_params = int(model.num_parameters())
        self.max_seconds = self.padded_seconds = config.max_length * HOP_SECONDS
        self.batch_seconds = self.max_seconds * BATCH_CLIPS[torch.device(device).type]
        self.patch, self.stride = config.patch_size, config.time_stride
        self.n_bands = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
        example = torch.zeros(1, config.max_length, config.num_mel_bins)
        self.states = prepared(HiddenStates(model), example, runtime, precision, device)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_layers + 1, n_frames, dim) per clip of at most 10.24 s."""
        least = round(0.025 * self.sample_rate)  # the processor's own window
        clips = [np.pad(clip, (0, max(0, least - clip.size))) for clip in audio]
        inputs: Any = self.processor(clips, sampling_rate=self.sample_rate, return_tensors="pt")
        states = self.states(inputs["input_values"])[:, :, 2:]  # behind the class and distillation tokens
        n_clips, n_layers, n_patches, _ = states.shape
        bands = states.reshape(n_clips, n_layers, self.n_bands, n_patches // self.n_bands, self.dim)
        return [
            frames[:, : self._n_frames(clip)] for frames, clip in zip(bands.mean(axis=2), clips, strict=True)
        ]

    def _n_frames(self, clip: Audio) -> int:
        """Return the number of steps in time whose patches lie within a clip."""
        n_spectra = int(clip.size / self.sample_rate / HOP_SECONDS)
        n_frames: int = (n_spectra - self.patch) // self.stride + 1
        return max(1, n_frames)


class Clap:
    """The projected audio embedding of CLAP, of length 1: one frame for each window of at most 10 s.

    A clip that is shorter is repeated, as its preprocessor does.

    Parameters
    ----------
    checkpoint, precision, device, runtime : str
        As of `Ast`.

    References
    ----------
    Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption
    augmentation", ICASSP 2023.
    """

    def __init__(
        self, checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
    ) -> None:
        model = loaded(ClapAudioModelWithProjection, checkpoint)
        self.processor = preprocessor(ClapFeatureExtractor, checkpoint)
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(model.config.projection_dim)
        self.n_params = int(model.num_parameters())
        self.max_seconds = self.padded_seconds = float(self.processor.max_length_s)
        self.batch_seconds = self.max_seconds * BATCH_CLIPS[torch.device(device).type]
        example = self._features([np.zeros(self.sample_rate, np.float32)])
        self.embedding = prepared(_Projected(model), example, runtime, precision, device)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (1, dim) per clip of at most 10 s."""
        return list(self.embedding(self._features(audio))[:, None])

    def _features(self, audio: Sequence[Audio]) -> torch.Tensor:
        """Return the log mel spectra of clips, shape=(n_clips, n_channels, n_spectra, n_mels)."""
        inputs: Any = self.processor(list(audio), sampling_rate=self.sample_rate, return_tensors="pt")
        features: torch.Tensor = inputs["input_features"]
        return features


class _Projected(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
    """Returns a model's projected embeddings, shape=(n_clips, dim)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Any) -> Any:
        # No clip is longer than the window.
        whole = torch.zeros(len(features), 1, dtype=torch.bool, device=features.device)
        return torch.nn.functional.normalize(self.model(features, is_longer=whole).audio_embeds, dim=-1)
