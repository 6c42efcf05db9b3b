"""The encoder of Whisper."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import WhisperFeatureExtractor, WhisperModel

from bench.errors import PluginError
from bench.extractors.batching import embed_equal_lengths
from bench.extractors.checkpoint import load_model, load_preprocessor
from bench.extractors.runtimes import prepare
from bench.types import Audio, Frames

SAMPLES_PER_FRAME = 320
"""Two hops of 160 samples: the second convolution has a stride of 2 mel frames."""


class Whisper:
    """Every hidden state of Whisper's encoder, only the frames of the clip itself: one every 20 ms.

    Layer 0 is the input of the first layer; the last layer is the last hidden state, with the final norm.

    Parameters
    ----------
    checkpoint : str
        A folder in the format of `save_pretrained`.
    short : bool
        Whether a clip is encoded without padding. Whisper pads every clip with silence to 30 s, and the
        frames of the clip attend to it: without padding, they have other values and cost far less.
    precision, device, runtime : str
        As in `runtimes.prepare`.

    Raises
    ------
    PluginError
        If the checkpoint cannot be loaded or is not of Whisper.

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
        model = load_model(WhisperModel, checkpoint)
        config = model.config
        if config.model_type != "whisper":
            raise PluginError(f"{checkpoint}: the model type is {config.model_type}; expected whisper")
        self.processor = load_preprocessor(WhisperFeatureExtractor, checkpoint)
        example = torch.zeros(1, config.num_mel_bins, 2 * config.max_source_positions)
        self.states = prepare(_EncoderStates(model.encoder), example, runtime, precision, device)
        self.short = short
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(config.d_model)
        self.n_layers = int(config.encoder_layers) + 1
        self.n_params = int(model.encoder.num_parameters())
        self.max_seconds = config.max_source_positions * SAMPLES_PER_FRAME / self.sample_rate
        self.batch_seconds = self.max_seconds * (2 if torch.device(device).type == "cpu" else 16)
        self.padded_seconds = 0.0 if short else self.max_seconds

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_layers, n_frames, dim) per clip of at most 30 s."""
        if not self.short:
            return self.encode(audio)[0]
        n_frames, features = self._n_frames(audio), self._features(audio)
        # Whisper accepts no mask.
        return embed_equal_lengths(
            n_frames, lambda rows: self.states(features[rows, :, : 2 * n_frames[rows[0]]])
        )

    def encode(self, audio: Sequence[Audio]) -> tuple[Sequence[Frames], Frames]:
        """Return the frames of clips padded to 30 s, and their last hidden states with the padding.

        Returns
        -------
        tuple[Sequence[Frames], Frames]
            One array of shape (n_layers, n_frames, dim) per clip; shape=(n_clips, 1500, dim).
        """
        states = self.states(self._features(audio))
        frames = [layers[:, :n] for layers, n in zip(states, self._n_frames(audio), strict=True)]
        return frames, states[:, -1]

    def _n_frames(self, audio: Sequence[Audio]) -> list[int]:
        """Return the number of frames of every clip."""
        return [max(1, -(-clip.size // SAMPLES_PER_FRAME)) for clip in audio]

    def _features(self, audio: Sequence[Audio]) -> torch.Tensor:
        """Return the log mel spectra of clips padded to 30 s, shape=(n_clips, n_mels, 3000)."""
        inputs: Any = self.processor(list(audio), sampling_rate=self.sample_rate, return_tensors="pt")
        features: torch.Tensor = inputs["input_features"]
        return features


class _EncoderStates(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
    """An encoder for input of any length that returns its hidden states.

    The output has the shape (n_clips, n_layers, n_frames, dim).
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.encoder.embed_positions = self.positions = _Positions(encoder.embed_positions.weight)

    def forward(self, features: Any) -> Any:
        n_frames = features.shape[-1] // 2
        # The encoder refuses input of another length than `max_source_positions`.
        self.encoder.config.max_source_positions = int(n_frames)
        self.positions.n_frames = n_frames
        return torch.stack(self.encoder(features, output_hidden_states=True).hidden_states, dim=1)


class _Positions(torch.nn.Module):  # type: ignore[misc]
    """The embeddings of the first `n_frames` positions."""

    def __init__(self, weight: torch.nn.Parameter) -> None:
        super().__init__()
        self.weight = weight
        self.num_embeddings = self.n_frames = len(weight)

    def forward(self, _: Any) -> Any:
        return self.weight[: self.n_frames]
