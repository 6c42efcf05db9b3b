"""Tags: what can be heard, from a list of words.

A long recording is heard in windows, whose probabilities are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModelForAudioClassification,
    AutoProcessor,
    ClapModel,
)

from bench.description.checkpoints import Checkpoint
from bench.description.describers import Description, Kind, Text
from bench.errors import UsageError
from bench.types import Audio

WINDOW_SECONDS = 10.0
"""Longest window, in s: what AST and CLAP were trained with, which cut off what is longer."""

SHORTEST_SECONDS = 0.1
"""Shortest window, in s; a shorter recording is padded with zeros, since it has no frame."""

LIKELY = 0.1
"""Probability from which on a word is a tag."""

MOST = 5
"""Largest number of tags of a recording."""

DOMAINS = (
    "speech",
    "music",
    "singing",
    "noise",
    "animal",
    "nature",
    "vehicle",
    "machine",
    "alarm",
    "silence",
)
"""Words for kinds of recordings; of a classifier count those that are its labels, as some of AudioSet's."""

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
        self._model = checkpoint.part(AutoModelForAudioClassification, dtype=torch.float32).to(device)
        self._features = checkpoint.part(AutoFeatureExtractor)
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
        self._model = checkpoint.part(ClapModel, dtype=torch.float32).to(device)
        self._processor = checkpoint.part(AutoProcessor)
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


class TagDescriber:
    """The likely words of a recording, as a text."""

    kind: Kind = "tags"
    longest = 60.0

    def __init__(self, tagger: Tagger) -> None:
        self.name = tagger.name
        self.sample_rate = tagger.sample_rate
        self._tagger = tagger

    def describe(self, audio: Audio) -> Description:
        """Return the tags of a recording, the likeliest first."""
        words = sorted(_mean(self._tagger, audio).items(), key=lambda pair: -pair[1])
        tags = [word for word, probability in words[:MOST] if probability >= LIKELY]
        return Description((Text(0.0, audio.size / self.sample_rate, ", ".join(tags)),))


class DomainDescriber:
    """The probabilities of domains among the words of a tagger."""

    kind: Kind = "domains"
    longest = 60.0

    def __init__(self, tagger: Tagger) -> None:
        self.name = tagger.name
        self.sample_rate = tagger.sample_rate
        self._tagger = tagger
        if not any(word.lower() in DOMAINS for word in tagger.words):
            raise UsageError(
                f"--domains: {tagger.name} has none of the labels {', '.join(DOMAINS)}; leave --domains or "
                "--tags out"
            )

    def describe(self, audio: Audio) -> Description:
        """Return the probabilities of domains."""
        words = _mean(self._tagger, audio)
        return Description(
            domains={word.lower(): value for word, value in words.items() if word.lower() in DOMAINS}
        )


def describers(
    checkpoint: Checkpoint, words: Sequence[str], with_domains: bool, device: str
) -> list[TagDescriber | DomainDescriber]:
    """Return what a checkpoint says about recordings.

    Parameters
    ----------
    words : Sequence[str]
        Tags of CLAP; none for a classifier, which has its own.
    with_domains : bool
        Whether to describe domains, too.
    device : str
        Of torch.

    Raises
    ------
    UsageError
        If a classifier gets words, or CLAP neither words nor domains, or the checkpoint cannot be loaded.
    """
    if checkpoint.part(AutoConfig).model_type == "clap":
        if not (words or with_domains):
            raise UsageError(f"--tags {checkpoint.name}: needs words; add --words rain,dog,... or --domains")
        tags = [TagDescriber(ZeroShot(checkpoint, words, device))] if words else []
        return [*tags, *([DomainDescriber(ZeroShot(checkpoint, DOMAINS, device))] if with_domains else [])]
    if words:
        raise UsageError(
            f"--words: {checkpoint.name} has labels of its own; leave --words out, or name a CLAP by --tags"
        )
    classifier = Classifier(checkpoint, device)
    return [TagDescriber(classifier), *([DomainDescriber(classifier)] if with_domains else [])]


def _mean(tagger: Tagger, audio: Audio) -> Mapping[str, float]:
    """Return the mean probability of every word over windows of equal length."""
    audio = np.pad(audio, (0, max(0, round(SHORTEST_SECONDS * tagger.sample_rate) - audio.size)))
    n_windows = -(-audio.size // round(WINDOW_SECONDS * tagger.sample_rate))
    size = -(-audio.size // n_windows)
    windows = [audio[start : start + size] for start in range(0, audio.size, size)]
    return dict(zip(tagger.words, tagger.probabilities(windows).mean(axis=0).tolist(), strict=True))
