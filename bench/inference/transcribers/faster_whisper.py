"""Whisper by faster-whisper, from a folder of CTranslate2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.catalog import devices
from bench.errors import UsageError, message
from bench.inference.answers import Phrase
from bench.inference.transcribers.base import CHUNK, RATE, Decoding
from bench.types import Audio, Frames

FILES = ("config.json", "model.bin", "tokenizer.json")
"""Files of a folder; without its tokenizer, the library would download one."""


class FasterWhisper:
    """A folder of CTranslate2, in the precision that it is stored in, greedy.

    Parameters
    ----------
    name : str
        Name in answers.
    folder : Path
        What ``ct2-transformers-converter`` writes.
    device : str
        A device of torch.

    Raises
    ------
    UsageError
        If the folder lacks a file, or cannot be loaded.
    """

    digest = ""

    def __init__(self, name: str, folder: Path, device: str) -> None:
        absent = [file for file in FILES if not (folder / file).is_file()]
        if absent:
            raise UsageError(
                f"{folder}: lacks {', '.join(absent)}; expected a folder of ct2-transformers-converter with "
                "--copy_files tokenizer.json preprocessor_config.json"
            )
        from faster_whisper import WhisperModel  # optional

        self.name = name
        kind, _, index = device.partition(":")
        try:
            self._model = WhisperModel(
                str(folder), device=kind, device_index=int(index or 0), cpu_threads=devices.threads()
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise UsageError(f"{folder}: cannot be loaded ({message(error)[:300]})") from error
        self.languages = tuple(self._model.supported_languages)

    def decode(
        self, audio: Audio, language: str | None, timestamps: bool, states: Frames | None = None
    ) -> Decoding:
        """Return the text of at most 30 s; see `base.Decoder`. The states are not used."""
        options: dict[str, Any] = {"condition_on_previous_text": False, "without_timestamps": not timestamps}
        segments, info = self._model.transcribe(
            audio,
            language=language,
            beam_size=1,
            temperature=0.0,
            compression_ratio_threshold=None,
            log_prob_threshold=None,
            no_speech_threshold=None,
            **options,
        )
        parts = list(segments)
        n_samples = audio.size
        if audio.size == CHUNK and len(parts) > 1:  # the last phrase may be cut: it is decoded again
            n_samples = max(1, round(parts.pop().start * RATE))
        return Decoding(
            n_samples=n_samples,
            phrases=tuple(Phrase(start=part.start, end=part.end, text=part.text) for part in parts),
            language=info.language,
            no_speech=max((part.no_speech_prob for part in parts), default=0.0),
            log_probability=max((part.avg_logprob for part in parts), default=0.0),
        )
