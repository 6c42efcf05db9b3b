"""Transcription: a recording -> its text, without what a network writes where nobody speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench import catalog
from bench.catalog import Registry, devices, weights
from bench.errors import UnavailableError, UsageError
from bench.inference.answers import Phrase, Silence, Suppression, Transcript
from bench.inference.transcribers.base import RATE, Decoder, Decoding
from bench.inference.voices import FRAME, Span, VoiceDetector
from bench.types import Audio, Frames, Spec

AUTO = "auto"
"""Language that the network detects."""

FASTER_WHISPER = "faster-whisper"
"""Prefix of a name with a folder of CTranslate2."""

CHUNK_SECONDS = 30.0
"""Longest audio that Whisper takes at once, in s."""

PAUSE_FRAMES = 10
"""Length of the pause at which a long recording is cut, in frames of 32 ms."""

NO_SPEECH = 0.6
LOG_PROBABILITY = -1.0
"""Text counts as that of no speech above the first limit and below the second one (Whisper's paper, 4.5)."""


class Transcriber:
    """Writes down what is said in recordings.

    A recording of up to 30 s is decoded at once; a longer one in chunks, cut at pauses, with timestamps.

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
        activity = self._voices.activity(audio)
        is_long = audio.size > CHUNK_SECONDS * RATE
        language = self._language
        phrases: list[Phrase] = []
        suppressed: list[Suppression] = []
        for start, end in _chunks(activity.curve, audio.size):
            voices = activity.within(start / RATE, end / RATE)
            if voices == ():
                suppressed.append(_suppression(start / RATE, end / RATE, "no voice"))
                continue
            decoding = self._decoder.decode(
                audio[start:end], language, self._timestamps or is_long, None if is_long else states
            )
            if decoding.no_speech > NO_SPEECH and decoding.log_probability < LOG_PROBABILITY:
                suppressed.append(_suppression(start / RATE, end / RATE, "no speech"))
                continue
            language = language or decoding.language
            for phrase in _placed(decoding, start / RATE, voices):
                if voices is None or _overlaps(phrase, voices):
                    phrases.append(phrase)
                else:
                    suppressed.append(_suppression(phrase.start, phrase.end, "no voice"))
        return Transcript(
            text="".join(phrase.text for phrase in phrases).strip(),
            language=language or "",
            model=self.name,
            phrases=tuple(replace(phrase, text=phrase.text.strip()) for phrase in phrases),
            suppressed=tuple(_joined(suppressed)),
            voice_activity=self._voices.is_installed,
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
        An extractor with the weights of Whisper, such as ``whisper-small``; ``hf:ID_OR_FOLDER`` or a folder of
        `save_pretrained`; ``faster-whisper:FOLDER`` with a folder of CTranslate2.
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


def _chunks(curve: np.ndarray, n_samples: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last sample of chunks of up to 30 s, cut where a curve of activity is low.

    Examples
    --------
    >>> curve = np.ones(1500)
    >>> curve[700:710] = 0  # a pause at 22.4 s
    >>> list(_chunks(curve, 1500 * FRAME))
    [(0, 360960), (360960, 768000)]
    """
    longest = int(CHUNK_SECONDS * RATE)
    smooth = np.convolve(curve, np.ones(PAUSE_FRAMES), "valid") if curve.size >= PAUSE_FRAMES else curve
    start = 0
    while n_samples - start > longest:
        first, last = (start + longest // 2) // FRAME, (start + longest) // FRAME - PAUSE_FRAMES
        window = smooth[first:last][::-1]  # the last of equal pauses
        cut = (last - 1 - int(np.argmin(window)) + PAUSE_FRAMES // 2) * FRAME
        yield start, cut
        start = cut
    if start < n_samples:
        yield start, n_samples


def _placed(decoding: Decoding, offset: float, voices: tuple[Span, ...] | None) -> Iterator[Phrase]:
    """Yield the phrases of a chunk with times in the recording, at most from the first voice to the last."""
    low = voices[0][0] if voices else offset
    high = voices[-1][1] if voices else np.inf
    for phrase in decoding.phrases:
        start, end = offset + phrase.start, offset + phrase.end
        if start < high and end > low:
            start, end = max(start, low), min(end, high)
        yield Phrase(start=round(start, 3), end=round(end, 3), text=phrase.text)


def _overlaps(phrase: Phrase, voices: Iterable[Span]) -> bool:
    """Return whether a phrase has a voice."""
    return any(phrase.start < end and phrase.end > start for start, end in voices)


def _suppression(start: float, end: float, reason: Silence) -> Suppression:
    return Suppression(start=round(start, 3), end=round(end, 3), reason=reason)


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
