"""Transformers over the waveform, such as Wav2Vec2, HuBERT, WavLM, UniSpeech-SAT and data2vec-audio."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoModel

from bench.errors import PluginError
from bench.extractors.batching import embed_equal_lengths
from bench.extractors.checkpoint import load_model, load_preprocessor
from bench.extractors.runtimes import prepare
from bench.types import Audio, Frames

WINDOW_SECONDS = 20.0
"""A little longer than the training clips of these models (15.6 s)."""

MASKABLE = ("wav2vec2", "hubert")
"""Model types whose output does not change with padding under a mask, if they have no group norm."""

BATCH_SECONDS = {"cpu": 20.0, "cuda": 240.0}
"""Type of device -> audio in a batch, in s."""


class Transformer:
    """Every hidden state of an encoder of waveforms, from one forward pass.

    Layer 0 is the input of the first transformer layer, layer N the output of the N-th; the last hidden state
    follows them. Clips are normalised by the checkpoint's preprocessor. Wav2Vec2 and HuBERT with layer norms
    get padded batches with a mask. All other models get batches of clips of equal length: padding changes the
    statistics of a group norm, and leaks through the convolutions of data2vec.

    Parameters
    ----------
    checkpoint : str
        A folder in the format of `save_pretrained`.
    precision, device, runtime : str
        As in `runtimes.prepare`.

    Raises
    ------
    PluginError
        If the checkpoint cannot be loaded or is not an encoder of waveforms.
    """

    max_seconds = WINDOW_SECONDS

    def __init__(
        self, checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
    ) -> None:
        model = load_model(AutoModel, checkpoint)
        if model.main_input_name != "input_values" or not hasattr(model.config, "conv_kernel"):
            raise PluginError(
                f"{checkpoint}: {type(model).__name__} takes {model.main_input_name}; expected an encoder of "
                "waveforms, such as Wav2Vec2, HuBERT or WavLM"
            )
        processor = load_preprocessor(AutoFeatureExtractor, checkpoint)
        self._set_model(model, processor, precision, device, runtime)

    def _set_model(self, model: Any, processor: Any, precision: str, device: str, runtime: str) -> None:
        """Set the extractor's model, its preprocessor, and the attributes that follow from them."""
        config = model.config
        self.processor = processor
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(config.hidden_size)
        self.n_layers = int(config.num_hidden_layers) + 1
        self.n_params = int(model.num_parameters())
        self.batch_seconds = BATCH_SECONDS[torch.device(device).type]
        maskable = config.model_type in MASKABLE and config.feat_extract_norm != "group"
        self.equal_lengths = not maskable or runtime == "openvino"
        self.convolutions = list(zip(config.conv_kernel, config.conv_stride, strict=True))
        self.min_samples = _receptive_field(self.convolutions)
        example = torch.zeros(1, max(2 * self.min_samples, self.sample_rate))
        self.states = prepare(HiddenStates(model), example, runtime, precision, device)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_layers + 1, n_frames, dim) per clip; zeros pad short clips."""
        clips = [np.pad(clip, (0, max(0, self.min_samples - clip.size))) for clip in audio]
        if not self.equal_lengths:
            return self._forward(clips)
        lengths = [clip.size for clip in clips]
        return embed_equal_lengths(lengths, lambda rows: self._forward([clips[row] for row in rows]))

    def _forward(self, clips: Sequence[Audio]) -> list[Frames]:
        """Return the frames of a batch of clips, padded under a mask if their lengths differ."""
        lengths = [clip.size for clip in clips]
        padded = len(set(lengths)) > 1
        inputs: Any = self.processor(
            list(clips),
            sampling_rate=self.sample_rate,
            padding=padded,
            return_attention_mask=padded,
            return_tensors="pt",
        )
        masks = [inputs["attention_mask"]] if padded else []
        states = self.states(inputs["input_values"], *masks)
        return [states[row, :, : _n_frames(self.convolutions, n)] for row, n in enumerate(lengths)]


class HiddenStates(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
    """A model that returns its hidden states, followed by the last one.

    The output has the shape (n_clips, n_layers + 1, n_frames, dim).
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: Any, mask: Any = None) -> Any:
        """Return the hidden states of a batch of inputs."""
        options = {} if mask is None else {"attention_mask": mask}  # some models accept no mask
        output = self.model(values, output_hidden_states=True, **options)
        return torch.stack([*output.hidden_states, output.last_hidden_state], dim=1)


def _n_frames(convolutions: Sequence[tuple[int, int]], n_samples: int) -> int:
    """Return the number of frames of a clip after convolutions with these (kernel, stride)."""
    for kernel, stride in convolutions:
        n_samples = (n_samples - kernel) // stride + 1
    return n_samples


def _receptive_field(convolutions: Sequence[tuple[int, int]]) -> int:
    """Return the number of samples behind one frame of convolutions with these (kernel, stride)."""
    n_samples = 1
    for kernel, stride in reversed(convolutions):
        n_samples = (n_samples - 1) * stride + kernel
    return n_samples
