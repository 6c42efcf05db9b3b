"""Transformers over the waveform: Wav2Vec2, HuBERT, WavLM, data2vec-audio, and their like."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoModel

from bench.errors import PluginError
from bench.extractors.checkpoint import loaded, preprocessor
from bench.extractors.groups import by_length
from bench.extractors.runtimes import prepared
from bench.types import Audio, Frames

WINDOW_SECONDS = 20.0
"""Somewhat longer than the 15.6 s to which these models' training cut its clips."""

PADDED = ("wav2vec2", "hubert")
"""The types of models that padding with a mask does not change, if they have no group norm."""

BATCH_SECONDS = {"cpu": 20.0, "cuda": 240.0}


class Transformer:
    """Every hidden state of an audio encoder that takes waveforms, from one forward pass.

    Layer 0 is the input of the first transformer layer, layer N the output of the N-th, and behind them is
    the last hidden state. Clips are normalised as the checkpoint's own preprocessor says. Wav2Vec2 and HuBERT
    with layer norms see a batch of clips padded, with a mask. All other models see clips of one length at a
    time: padding changes what a group norm normalises by, and leaks through data2vec's convolutions.

    Parameters
    ----------
    checkpoint : str
        A folder as `save_pretrained` writes it.
    precision, device, runtime : str
        As `runtimes.prepared` takes them.
    """

    max_seconds = WINDOW_SECONDS

    def __init__(
        self, checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
    ) -> None:
        model = loaded(AutoModel, checkpoint)
        if model.main_input_name != "input_values" or not hasattr(model.config, "conv_kernel"):
            raise PluginError(
                f"{checkpoint}: {type(model).__name__} takes {model.main_input_name}; expected an encoder of "
                "waveforms, such as Wav2Vec2, HuBERT or WavLM"
            )
        self.take(model, preprocessor(AutoFeatureExtractor, checkpoint), precision, device, runtime)

    def take(self, model: Any, processor: Any, precision: str, device: str, runtime: str) -> None:
        """Make a model of transformers and its preprocessor the extractor's own."""
        config = model.config
        self.processor = processor
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(config.hidden_size)
        self.n_layers = int(config.num_hidden_layers) + 1
        self.n_params = int(model.num_parameters())
        self.batch_seconds = BATCH_SECONDS[torch.device(device).type]
        leaks = config.model_type not in PADDED or config.feat_extract_norm == "group"
        self.equal_lengths = leaks or runtime == "openvino"
        self.convolutions = list(zip(config.conv_kernel, config.conv_stride, strict=True))
        self.shortest = _receptive_field(self.convolutions)
        example = torch.zeros(1, max(2 * self.shortest, self.sample_rate))
        self.states = prepared(HiddenStates(model), example, runtime, precision, device)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_layers + 1, n_frames, dim) per clip; zeros pad too short ones."""
        clips = [np.pad(clip, (0, max(0, self.shortest - clip.size))) for clip in audio]
        if not self.equal_lengths:
            return self._forward(clips)
        lengths = [clip.size for clip in clips]
        return by_length(lengths, lambda rows: self._forward([clips[row] for row in rows]))

    def _forward(self, clips: Sequence[Audio]) -> list[Frames]:
        """Return the frames of clips in one batch."""
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
    """Returns a model's hidden states and the last one, shape=(n_clips, n_layers + 1, n_frames, dim)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: Any, mask: Any = None) -> Any:
        """Return the states of a batch of inputs, under a mask if there is one."""
        masked = {} if mask is None else {"attention_mask": mask}  # some models know none
        output = self.model(values, output_hidden_states=True, **masked)
        return torch.stack([*output.hidden_states, output.last_hidden_state], dim=1)


def _n_frames(convolutions: Sequence[tuple[int, int]], n_samples: int) -> int:
    """Return the number of frames that a stack of (kernel, stride) makes of a clip."""
    for kernel, stride in convolutions:
        n_samples = (n_samples - kernel) // stride + 1
    return n_samples


def _receptive_field(convolutions: Sequence[tuple[int, int]]) -> int:
    """Return the number of samples that a stack of (kernel, stride) makes one frame of."""
    n_samples = 1
    for kernel, stride in reversed(convolutions):
        n_samples = (n_samples - 1) * stride + kernel
    return n_samples
