"""Tags: what can be heard, from a list of words.

A long recording is heard in windows, whose probabilities are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.catalog.checkpoints import configuration
from bench.description.checkpoints import Checkpoint
from bench.description.describers import Description, Kind, Text
from bench.description.taggers import Classifier, Tagger, ZeroShot
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
    if configuration(checkpoint.folder).model_type == "clap":
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
