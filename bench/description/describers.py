"""Describers: what a description of a recording is, and what says something about one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bench.catalog.requirements import installation
from bench.description import words
from bench.description.acoustics import RATE, acoustics
from bench.errors import BenchError, ClipError, UnavailableError, one_line
from bench.inference.transcription import Transcriber
from bench.inference.voices import VoiceDetector
from bench.retrieval.records import CaptionKind
from bench.types import Audio
from bench.types.retrieval import Captioner

Kind = CaptionKind | Literal["domains"]
"""What a describer says: a text of a kind, or domains."""

PASSAGE_SECONDS = 30.0
"""Longest passage of a transcript, in s: phrases are joined up to it, since a search finds passages."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text about a part of a recording.

    Parameters
    ----------
    start, end : float
        In s.
    text : str
        Empty where there is nothing to say, such as the transcript of noise.
    """

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Description:
    """What is said about a recording.

    Parameters
    ----------
    domains : Mapping[str, float]
        Domain, such as ``speech`` -> score in [0, 1].
    """

    texts: tuple[Text, ...] = ()
    domains: Mapping[str, float] = field(default_factory=dict)


class Describer(Protocol):
    """Says something about recordings.

    Attributes
    ----------
    kind : Kind
    name : str
        What is behind the texts; another one where they would be others.
    sample_rate : int
        Rate of the audio that `describe` gets, in Hz.
    longest : float
        Longest audio that it gets, in s.
    """

    kind: Kind
    name: str
    sample_rate: int
    longest: float

    def describe(self, audio: Audio) -> Description:
        """Return the description of a recording, shape=(n_samples,), in [-1, 1].

        Raises
        ------
        ClipError
            If this recording gets none; others may.
        """
        ...


class AcousticDescriber:
    """Words for what is measured of the signal, without any model."""

    kind: Kind = "acoustics"
    name = f"acoustics-{words.VERSION}"
    sample_rate = RATE
    longest = 60.0

    def describe(self, audio: Audio) -> Description:
        """Return a recording in words."""
        return Description((Text(0.0, audio.size / RATE, words.text(acoustics(audio))),))


class TranscriptDescriber:
    """What is said, in passages.

    Parameters
    ----------
    transcriber : Transcriber
    name : str
    """

    kind: Kind = "transcript"
    sample_rate = 16_000
    longest = 600.0

    def __init__(self, transcriber: Transcriber, name: str) -> None:
        self.name = name
        self._transcriber = transcriber

    def describe(self, audio: Audio) -> Description:
        """Return the passages of a transcript; one without text where nobody speaks."""
        passages: list[Text] = []
        for phrase in self._transcriber.transcribe(audio).phrases:
            if passages and phrase.end - passages[-1].start <= PASSAGE_SECONDS:
                before = passages.pop()
                passages.append(Text(before.start, phrase.end, f"{before.text} {phrase.text}"))
            else:
                passages.append(Text(phrase.start, phrase.end, phrase.text))
        return Description(tuple(passages) or (Text(0.0, audio.size / self.sample_rate, ""),))


class CaptionDescriber:
    """What can be heard, by a captioner."""

    kind: Kind = "caption"
    longest = 30.0

    def __init__(self, captioner: Captioner) -> None:
        self.name = captioner.name
        self.sample_rate = captioner.sample_rate
        self._captioner = captioner

    def describe(self, audio: Audio) -> Description:
        """Return the caption of a recording, in one line.

        Raises
        ------
        ClipError
            If the captioner raises anything but an error that a user can fix.
        """
        try:
            caption = " ".join(self._captioner.describe(audio).split())
        except BenchError:
            raise
        except Exception as error:  # any exception of a plugin
            raise ClipError(f"{self.name}: writes no caption ({one_line(error)})") from error
        return Description((Text(0.0, audio.size / self.sample_rate, caption),))


class VoiceDescriber:
    """The domains ``speech`` and ``other``: shares of the recording with and without a voice, by silero-vad.

    Raises
    ------
    UnavailableError
        If silero-vad is not installed.
    """

    kind: Kind = "domains"
    name = "silero-vad"
    sample_rate = 16_000
    longest = 600.0

    def __init__(self) -> None:
        self._voices = VoiceDetector()
        if not self._voices.is_available:
            raise UnavailableError(
                f"--domains: needs silero-vad, or a model of --tags; run: {installation('transcribe')}"
            )

    def describe(self, audio: Audio) -> Description:
        """Return the share of a recording with a voice."""
        spans = self._voices.spans(audio) or ()
        speech = sum(end - start for start, end in spans) * self.sample_rate / audio.size
        return Description(domains={"speech": speech, "other": 1 - speech})
