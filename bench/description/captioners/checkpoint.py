"""Captioners of transformers, such as Qwen2-Audio, Voxtral or Gemma 3n, in this process."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoProcessor

from bench.catalog.pretrained import load, load_network, quiet
from bench.description.captioners.prompt import MOST_TOKENS, PROMPT
from bench.description.checkpoints import WHOLE, Checkpoint
from bench.errors import UsageError
from bench.types import Audio

SHORTEST_SECONDS = 1.0
"""Shortest audio, in s; a shorter recording is padded with zeros, since some encoders make nothing of it."""


class CheckpointCaptioner:
    """A checkpoint that takes audio in its chat and writes text, greedily, in the precision it is stored in.

    Parameters
    ----------
    checkpoint : Checkpoint
        With the processor and its chat template. The class of the model is the one that config.json names.
    device : str
        Of torch.

    Raises
    ------
    UsageError
        If it cannot be loaded, writes no text, or takes no audio.
    """

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        self.name = checkpoint.named(PROMPT, MOST_TOKENS)
        names = load(AutoConfig, checkpoint.folder).architectures or ["no class"]
        loader = getattr(transformers, str(names[0]), None)
        if not hasattr(loader, "generate"):
            raise UsageError(
                f"--caption {checkpoint.name}: config.json names {names[0]}, which writes no text in "
                f"transformers {transformers.__version__}; expected a model such as "
                "Qwen2AudioForConditionalGeneration"
            )
        self._processor = load(AutoProcessor, checkpoint.folder)
        features = getattr(self._processor, "feature_extractor", None)
        if features is None or not getattr(self._processor, "chat_template", None):
            raise UsageError(
                f"--caption {checkpoint.name}: its processor has no feature extractor or no chat template; "
                "expected a model that takes audio in a chat"
            )
        self.sample_rate = int(features.sampling_rate)
        self._model = load_network(loader, checkpoint.folder, WHOLE, dtype="auto").to(device)

    def describe(self, audio: Audio) -> str:
        """Return the caption of a recording of up to 30 s."""
        n_lacking = max(0, round(SHORTEST_SECONDS * self.sample_rate) - audio.size)
        content = [
            {"type": "audio", "audio": np.pad(audio, (0, n_lacking))},
            {"type": "text", "text": PROMPT},
        ]
        options = {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
        with torch.inference_mode(), quiet():
            inputs: Any = self._processor.apply_chat_template(
                [{"role": "user", "content": content}], add_generation_prompt=True, **options
            ).to(self._model.device, self._model.dtype)
            output = self._model.generate(**inputs, max_new_tokens=MOST_TOKENS, do_sample=False)
        tokens = output[0, inputs["input_ids"].shape[1] :]
        return str(self._processor.decode(tokens, skip_special_tokens=True))
