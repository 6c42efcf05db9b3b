"""What a transcriber is, and what it returns for a chunk of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bench.inference.answers import Phrase
from bench.types import Audio, Frames

RATE = 16_000
"""Rate of the audio, in Hz."""

CHUNK = 30 * RATE
"""Longest audio that Whisper takes at once, in samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """Text of a chunk.

    Parameters
    ----------
    phrases : tuple[Phrase, ...]
        Times from the start of the chunk; a text begins with the space that parts it from the one before.
    n_samples : int
        Samples up to the end of the last whole phrase, at least 1: there the next chunk starts.
    language : str
        ISO 639-1 code.
    no_speech : float
        Probability of the network that nobody speaks, in [0, 1].
    log_probability : float
        Mean natural logarithm of the probability of the tokens.
    """

    phrases: tuple[Phrase, ...]
    n_samples: int
    language: str
    no_speech: float
    log_probability: float


class Decoder(Protocol):
    """A network that transcribes chunks.

    Attributes
    ----------
    name : str
        Name in answers.
    languages : tuple[str, ...]
        ISO 639-1 codes of what it transcribes.
    digest : str
        SHA-256 of the weights, as of an extractor; empty if it takes no states of an extractor.
    """

    name: str
    languages: tuple[str, ...]
    digest: str

    def decode(
        self, audio: Audio, language: str | None, timestamps: bool, states: Frames | None = None
    ) -> Decoding:
        """Return the text of at most 30 s.

        Parameters
        ----------
        audio : Audio
            shape=(n_samples,), float32 in [-1, 1], at 16 kHz.
        language : str | None
            One of `languages`; None to detect it.
        timestamps : bool
            Whether the network says when phrases start and end; else there is one phrase.
        states : Frames | None
            Last hidden states of the encoder for this audio, shape=(n_frames, dim); None to compute them.
        """
        ...
