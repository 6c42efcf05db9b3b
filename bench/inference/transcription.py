"""Transcription: a recording -> its text, without what a network writes where nobody speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import catalog
from bench.catalog import Registry, devices, weights
from bench.errors import UnavailableError, UsageError
from bench.inference.answers import Phrase, Silence, Suppression, Transcript
from bench.inference.transcribers.base import CHUNK, RATE, Decoder
from bench.inference.voices import Span, VoiceDetector
from bench.types import Audio, Frames, Spec

AUTO = "auto"
"""Language that the network detects."""

FASTER_WHISPER = "faster-whisper"
"""Prefix of a name with a folder of CTranslate2."""

NO_SPEECH = 0.6
LOG_PROBABILITY = -1.0
"""Text counts as that of no speech above the first limit and below the second one (Whisper's paper, 4.5)."""


class Transcriber:
    """Writes down what is said in recordings.

    A recording of up to 30 s is decoded at once, a longer one in chunks of 30 s with timestamps: a chunk
    starts where the last whole phrase of the one before ends, as in Whisper's paper.

    Parameters
    ----------
    decoder : Decoder
        Transcribes up to 30 s.
    language : str | None
        ISO 639-1 code; None or ``auto`` to detect it in the first chunk with speech.
    timestamps : bool
        Whether the network times the phrases of recordings of up to 30 s too, which can change the text; else
        such a recording is one phrase.

    Attributes
    ----------
    name : str
        Name of the decoder.
    digest : str
        SHA-256 of the weights; empty if the decoder takes no states of an extractor.

    Raises
    ------
    UsageError
        If the decoder does not know the language.
    """

    def __init__(self, decoder: Decoder, language: str | None = None, timestamps: bool = False) -> None:
        self.name = decoder.name
        self.digest = decoder.digest
        self._decoder = decoder
        self._language = _language(language, decoder)
        self._timestamps = timestamps
        self._voices = VoiceDetector()

    def transcribe(self, audio: Audio, states: Frames | None = None) -> Transcript:
        """Return the text of a recording.

        Parameters
        ----------
        audio : Audio
            shape=(n_samples,), float32 in [-1, 1], at 16 kHz.
        states : Frames | None
            Last hidden states of the decoder's own encoder for this audio, shape=(n_frames, dim); they are
            used for a recording of up to 30 s. None to compute them.
        """
        spans = self._voices.spans(audio)
        timestamps = self._timestamps or audio.size > CHUNK
        language = self._language
        parts: list[Phrase | Suppression] = []
        start = 0
        while start < audio.size:
            chunk, offset = audio[start : start + CHUNK], start / RATE
            voices = None if spans is None else _within(spans, offset, offset + chunk.size / RATE)
            if voices == []:
                n_samples = _silence(spans or (), start, audio.size)
                parts.append(_suppression(offset, n_samples, "no voice"))
                start += n_samples
                continue
            decoding = self._decoder.decode(
                chunk, language, timestamps, states if chunk.size == audio.size else None
            )
            if decoding.no_speech > NO_SPEECH and decoding.log_probability < LOG_PROBABILITY:
                parts.append(_suppression(offset, chunk.size, "no speech"))
                start += chunk.size
                continue
            language = language or decoding.language
            parts += (_phrase(phrase, offset, voices) for phrase in decoding.phrases)
            start += decoding.n_samples
        phrases = [part for part in parts if isinstance(part, Phrase)]
        return Transcript(
            text="".join(phrase.text for phrase in phrases).strip(),
            language=language or "",
            model=self.name,
            phrases=tuple(replace(phrase, text=phrase.text.strip()) for phrase in phrases),
            suppressed=tuple(_joined(part for part in parts if isinstance(part, Suppression))),
            voice_activity=spans is not None,
        )


def joined(parts: Iterable[tuple[float, Transcript]]) -> Transcript:
    """Return the transcript of a recording from those of its blocks and their starts in s.

    The language is that of the first block with one.
    """
    every = list(parts)
    starts, blocks = [start for start, _ in every], [block for _, block in every]
    if len(blocks) == 1:
        return blocks[0]

    def placed(name: str) -> tuple[Any, ...]:
        return tuple(
            replace(part, start=round(start + part.start, 3), end=round(start + part.end, 3))
            for start, block in zip(starts, blocks, strict=True)
            for part in getattr(block, name)
        )

    return replace(
        blocks[0],
        text=" ".join(block.text for block in blocks if block.text),
        language=next((block.language for block in blocks if block.language), ""),
        phrases=placed("phrases"),
        suppressed=placed("suppressed"),
    )


def load(
    name: str,
    *,
    declared: Registry,
    language: str | None = None,
    device: str = "auto",
    timestamps: bool = False,
) -> Transcriber:
    """Return the transcriber of a name; nothing is downloaded.

    Parameters
    ----------
    name : str
        An extractor with the weights of Whisper, such as ``whisper-small``; ``hf:ID_OR_FOLDER``, or a folder
        of `save_pretrained`; ``faster-whisper:FOLDER`` with a folder of CTranslate2.
    language, timestamps : str | None, bool
        As of `Transcriber`.
    device : str
        A device of torch, or ``auto``.

    Raises
    ------
    UnavailableError
        If weights or a package are not here; the message has the command to run.
    UsageError
        If the name is unknown, its weights are no Whisper with a decoder and a tokenizer, or the language is
        unknown.
    """
    device, _ = devices.resolve(device, "fp32")
    runtime, _, folder = name.partition(":")
    if runtime == FASTER_WHISPER:
        return Transcriber(_faster_whisper(folder, device), language, timestamps)
    is_folder = name not in declared.extractors and Path(name).expanduser().is_dir()
    spec = catalog.resolve("extractor", f"hf:{name}" if is_folder else name, declared.extractors)
    path = _weights(replace(spec, requires=("torch", "transformers")))
    from bench.inference.transcribers.whisper import Whisper  # transformers takes seconds to import

    return Transcriber(Whisper(spec.name, path, device, weights.digest(path)), language, timestamps)


def _faster_whisper(text: str, device: str) -> Decoder:
    """Return the decoder of a folder of CTranslate2."""
    folder = Path(text).expanduser()
    name = f"{FASTER_WHISPER}:{folder.name}"
    _require(Spec("extractor", name, "", requires=("faster-whisper",)))
    if not folder.is_dir():
        raise UsageError(f"--transcribe {FASTER_WHISPER}:{text}: no such folder")
    from bench.inference.transcribers.faster_whisper import FasterWhisper  # optional

    return FasterWhisper(name, folder, device)


def _require(spec: Spec) -> None:
    """Refuse a transcriber whose packages are not installed."""
    command = catalog.missing(spec)
    if command:
        raise UnavailableError(f"--transcribe {spec.name}: is not installed; run: {command}")


def _weights(spec: Spec) -> Path:
    """Return the path of the weights of an extractor."""
    if not spec.weights:
        raise UsageError(
            f"--transcribe {spec.name}: has no weights; expected one of Whisper, such as whisper-small or "
            "hf:FOLDER"
        )
    _require(spec)
    try:
        return weights.of_extractor(spec)
    except UnavailableError as error:
        raise UnavailableError(f"--transcribe {spec.name}: {error}; run: bench fetch {spec.name}") from error


def _language(option: str | None, decoder: Decoder) -> str | None:
    """Return the language of an option; None to detect it."""
    text = (option or AUTO).lower()
    if text == AUTO:
        return decoder.languages[0] if len(decoder.languages) == 1 else None
    if text not in decoder.languages:
        expected = ", ".join([AUTO, *sorted(decoder.languages)])
        raise UsageError(f"--language {option}: {decoder.name} does not transcribe it; expected {expected}")
    return text


def _within(spans: Iterable[Span], start: float, end: float) -> list[Span]:
    """Return the parts of spans between two times in s."""
    parts = ((max(start, first), min(end, last)) for first, last in spans)
    return [(first, last) for first, last in parts if first < last]


def _silence(spans: Iterable[Span], start: int, n_samples: int) -> int:
    """Return the number of samples from `start` to the next voice, or to the end."""
    voices = (int(first * RATE) for first, _ in spans)
    return min((voice for voice in voices if voice > start), default=n_samples) - start


def _phrase(phrase: Phrase, offset: float, voices: Sequence[Span] | None) -> Phrase | Suppression:
    """Return a phrase with times in the recording, cut to its voices; a suppression if it has none."""
    start, end = offset + phrase.start, offset + phrase.end
    if voices is None:
        return Phrase(start=round(start, 3), end=round(end, 3), text=phrase.text)
    parts = _within(voices, start, end)
    if not parts:
        return Suppression(start=round(start, 3), end=round(end, 3), reason="no voice")
    return Phrase(start=round(parts[0][0], 3), end=round(parts[-1][1], 3), text=phrase.text)


def _suppression(start: float, n_samples: int, reason: Silence) -> Suppression:
    return Suppression(start=round(start, 3), end=round(start + n_samples / RATE, 3), reason=reason)


def _joined(parts: Iterable[Suppression]) -> Iterator[Suppression]:
    """Yield parts without text, those that follow each other for one reason as one."""
    previous: Suppression | None = None
    for part in parts:
        if previous and previous.reason == part.reason and previous.end == part.start:
            previous = replace(previous, end=part.end)
            continue
        if previous:
            yield previous
        previous = part
    if previous:
        yield previous
