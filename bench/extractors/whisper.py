"""The encoder of Whisper."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import WhisperFeatureExtractor, WhisperModel

from bench.errors import PluginError
from bench.extractors.checkpoint import loaded, preprocessor
from bench.extractors.groups import by_length
from bench.extractors.runtimes import prepared
from bench.types import Audio, Frames

SAMPLES_PER_FRAME = 320
"""A hop of 160 samples between mel frames, of which the second convolution takes every other."""


class Whisper:
    """Every hidden state of Whisper's encoder over the frames that a clip really has.

    Layer 0 is the input of the first layer; the last layer is the last hidden state, with the final norm.

    Parameters
    ----------
    checkpoint : str
        A folder as `save_pretrained` writes it.
    short : bool
        Whether a clip is encoded with the positions that it needs only. Whisper itself pads every clip to
        30 s with silence, which the real frames attend to: without it they are others, and far cheaper.
    precision, device, runtime : str
        As `runtimes.prepared` takes them.

    References
    ----------
    Radford et al., "Robust speech recognition via large-scale weak supervision", ICML 2023.
    """

    def __init__(
        self,
        checkpoint: str,
        short: bool = False,
        precision: str = "fp32",
        device: str = "cpu",
        runtime: str = "torch",
    ) -> None:
        model = loaded(WhisperModel, checkpoint)
        config = model.config
        if config.model_type != "whisper":
            raise PluginError(f"{checkpoint}: is a checkpoint of {config.model_type}; expected whisper")
        self.processor = preprocessor(WhisperFeatureExtractor, checkpoint)
        example = torch.zeros(1, config.num_mel_bins, 2 * config.max_source_positions)
        self.states = prepared(_States(model.encoder), example, runtime, precision, device)
        self.short = short
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(config.d_model)
        self.n_layers = int(config.encoder_layers) + 1
        self.n_params = int(model.encoder.num_parameters())
        self.max_seconds = config.max_source_positions * SAMPLES_PER_FRAME / self.sample_rate
        self.batch_seconds = self.max_seconds * (2 if torch.device(device).type == "cpu" else 16)
        self.padded_seconds = 0.0 if short else self.max_seconds

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_layers, n_frames, dim) per clip of at most 30 s, a frame per 20 ms."""
        n_frames = [max(1, -(-clip.size // SAMPLES_PER_FRAME)) for clip in audio]
        features = self._features(audio)
        if not self.short:
            return [states[:, :n] for states, n in zip(self.states(features), n_frames, strict=True)]
        # No mask is known to Whisper: only equal lengths share a batch.
        return by_length(n_frames, lambda rows: self.states(features[rows, :, : 2 * n_frames[rows[0]]]))

    def _features(self, audio: Sequence[Audio]) -> torch.Tensor:
        """Return the log mel spectra of clips padded to 30 s, shape=(n_clips, n_mels, 3000)."""
        inputs: Any = self.processor(list(audio), sampling_rate=self.sample_rate, return_tensors="pt")
        features: torch.Tensor = inputs["input_features"]
        return features


class _States(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
    """Returns an encoder's hidden states of any length, shape=(n_clips, n_layers, n_frames, dim)."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder.embed_positions = self.positions = _Positions(encoder.embed_positions.weight)

    def forward(self, features: Any) -> Any:
        n_frames = features.shape[-1] // 2
        # The encoder refuses another length than it has positions.
        self.encoder.config.max_source_positions = int(n_frames)
        self.positions.n_frames = n_frames
        return torch.stack(self.encoder(features, output_hidden_states=True).hidden_states, dim=1)


class _Positions(torch.nn.Module):  # type: ignore[misc]
    """The embeddings of as many positions as there are frames."""

    def __init__(self, weight: torch.nn.Parameter) -> None:
        super().__init__()
        self.weight = weight
        self.num_embeddings = self.n_frames = len(weight)

    def forward(self, _: Any) -> Any:
        return self.weight[: self.n_frames]
