"""Trained classifiers as extractors: a clip's frame holds one logit per label of the classifier."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from bench.extractors.batching import embed_equal_lengths
from bench.extractors.checkpoint import load_model, load_preprocessor
from bench.extractors.runtimes import prepare
from bench.extractors.transformer import BATCH_SECONDS, WINDOW_SECONDS
from bench.types import Audio, Frames


class Classifier:
    """The logits of an audio classification checkpoint, one frame per clip or per window of a long clip.

    Parameters
    ----------
    checkpoint : str
        A folder in the format of `save_pretrained`.
    precision, device : str
        As in `runtimes.prepare`.
    """

    max_seconds = WINDOW_SECONDS

    def __init__(self, checkpoint: str, precision: str = "fp32", device: str = "cpu") -> None:
        model = load_model(AutoModelForAudioClassification, checkpoint)
        self.processor = load_preprocessor(AutoFeatureExtractor, checkpoint)
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(model.config.num_labels)
        self.n_params = int(model.num_parameters())
        self.batch_seconds = BATCH_SECONDS[torch.device(device).type]
        example = torch.zeros(1, self.sample_rate)
        self.logits = prepare(_Logits(model), example, "torch", precision, device)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (1, n_labels) per clip; clips of equal length share a batch."""
        return embed_equal_lengths(
            [clip.size for clip in audio], lambda rows: self._embed_batch([audio[row] for row in rows])
        )

    def _embed_batch(self, clips: list[Audio]) -> Frames:
        """Return the logits of clips of one length, shape=(n_clips, 1, n_labels)."""
        inputs: Any = self.processor(clips, sampling_rate=self.sample_rate, return_tensors="pt")
        return self.logits(inputs[self.processor.model_input_names[0]])[:, None]


class _Logits(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
    """A classifier that returns its logits as a tensor, shape=(n_clips, n_labels)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: Any) -> Any:
        return self.model(values).logits
