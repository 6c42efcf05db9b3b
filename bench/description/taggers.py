"""Taggers: networks of transformers that give words probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoFeatureExtractor, AutoModelForAudioClassification, AutoProcessor, ClapModel

from bench.catalog.pretrained import load, load_network
from bench.description.checkpoints import WHOLE, Checkpoint
from bench.types import Audio

PROMPT = "This is a sound of {}."
"""What CLAP compares audio with, as in its paper (Wu et al., ICASSP 2023) and in transformers."""

Probabilities = npt.NDArray[np.float64]


class Tagger(Protocol):
    """Gives words probabilities.

    Attributes
    ----------
    name : str
    sample_rate : int
        In Hz.
    words : Sequence[str]
    """

    name: str
    sample_rate: int
    words: Sequence[str]

    def probabilities(self, windows: Sequence[Audio]) -> Probabilities:
        """Return the probability of every word in every window, shape=(n_windows, n_words)."""
        ...


class Classifier:
    """A checkpoint for audio classification, with the words that it was trained with.

    Parameters
    ----------
    checkpoint : Checkpoint
    device : str
        Of torch.
    """

    def __init__(self, checkpoint: Checkpoint, device: str) -> None:
        self._model = load_network(AutoModelForAudioClassification, checkpoint.folder, WHOLE).to(device)
        self._features = load(AutoFeatureExtractor, checkpoint.folder)
        self.sample_rate = int(self._features.sampling_rate)
        labels = self._model.config.id2label
        self.words: Sequence[str] = [str(labels[number]) for number in range(len(labels))]
        self._is_multilabel = self._model.config.problem_type == "multi_label_classification"
        self.name = checkpoint.named()

    def probabilities(self, windows: Sequence[Audio]) -> Probabilities:
        """Return the probability of every word in every window, shape=(n_windows, n_words).

        A window has several words if the checkpoint's `problem_type` says so; else their probabilities sum
        to 1.
        """
        inputs = self._features(
            list(windows), sampling_rate=self.sample_rate, return_tensors="pt", padding=True
        )
        with torch.inference_mode():
            logits = self._model(**inputs.to(self._model.device)).logits.double()
        probabilities = logits.sigmoid() if self._is_multilabel else logits.softmax(dim=-1)
        return np.asarray(probabilities.cpu())


class ZeroShot:
    """CLAP, with words of the user's: the probability of each among them.

    Parameters
    ----------
    checkpoint : Checkpoint
    words : Sequence[str]
    device : str
        Of torch.
    """

    def __init__(self, checkpoint: Checkpoint, words: Sequence[str], device: str) -> None:
        self._model = load_network(ClapModel, checkpoint.folder, WHOLE).to(device)
        self._processor = load(AutoProcessor, checkpoint.folder)
        self.sample_rate = int(self._processor.feature_extractor.sampling_rate)
        self.words = words
        self.name = checkpoint.named(list(words), PROMPT)

    def probabilities(self, windows: Sequence[Audio]) -> Probabilities:
        """Return the probability of every word in every window, shape=(n_windows, n_words)."""
        inputs: Any = self._processor(
            text=[PROMPT.format(word) for word in self.words],
            audio=list(windows),
            sampling_rate=self.sample_rate,
            return_tensors="pt",
            padding=True,
        )
        with torch.inference_mode():
            logits = self._model(**inputs.to(self._model.device)).logits_per_audio.double()
        return np.asarray(logits.softmax(dim=-1).cpu())
