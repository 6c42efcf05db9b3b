"""Ready-made classifiers of the hub: what they make of a clip is one logit per label of theirs."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

from bench.extractors.checkpoint import loaded, preprocessor
from bench.extractors.groups import by_length
from bench.extractors.runtimes import prepared
from bench.extractors.transformer import BATCH_SECONDS, WINDOW_SECONDS
from bench.types import Audio, Frames


class Classifier:
    """The logits of an audio classification checkpoint, one frame per clip, or per window of a longer one.

    Parameters
    ----------
    checkpoint : str
        A folder as `save_pretrained` writes it.
    precision, device : str
        As `runtimes.prepared` takes them.
    """

    max_seconds = WINDOW_SECONDS

    def __init__(self, checkpoint: str, precision: str = "fp32", device: str = "cpu") -> None:
        model = loaded(AutoModelForAudioClassification, checkpoint)
        self.processor = preprocessor(AutoFeatureExtractor, checkpoint)
        self.sample_rate = int(self.processor.sampling_rate)
        self.dim = int(model.config.num_labels)
        self.n_params = int(model.num_parameters())
        self.batch_seconds = BATCH_SECONDS[torch.device(device).type]
        example = torch.zeros(1, self.sample_rate)
        self.logits = prepared(_Logits(model), example, "torch", precision, device)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (1, n_labels) per clip; clips of equal lengths share a batch."""

        def classified(rows: list[int]) -> Frames:
            clips = [audio[row] for row in rows]
            inputs: Any = self.processor(clips, sampling_rate=self.sample_rate, return_tensors="pt")
            return self.logits(inputs[self.processor.model_input_names[0]])[:, None]

        return by_length([clip.size for clip in audio], classified)


class _Logits(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: Any) -> Any:
        return self.model(values).logits
