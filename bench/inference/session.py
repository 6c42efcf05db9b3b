"""Session: recordings -> answers, by a model and a transcriber that stay in memory."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy.typing as npt

from bench import audio
from bench.errors import BenchError, ClipError
from bench.inference import segments, windows
from bench.inference.answers import Answer, Failure, Prediction, Remark, Transcript, Window
from bench.inference.hearing import SILENT, Ear, Sound, seconds_of
from bench.inference.model import Model
from bench.inference.shared_encoder import shared
from bench.inference.transcribers.base import RATE
from bench.inference.transcription import Transcriber, joined
from bench.runner.provenance import VERSIONED, versions
from bench.types import Audio, Clip, Frames

CHUNK, CHUNK_SECONDS = 64, 120.0
"""Largest number of recordings that are heard together, and their largest length in all, in s."""

SPEECH_SECONDS = 1200.0
"""Length of the blocks in which the text of a file is written, in s."""

WINDOWS = 256
"""Number of windows of a recording that are heard together."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Windows of a recording: their length and hop, in s."""

    seconds: float
    hop: float


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Prediction for the part of a recording from `start` to `end`, in s."""

    start: float
    end: float
    prediction: Prediction
    is_clipped: bool


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """A block of a recording, from `start` in s, for a transcriber.

    Parameters
    ----------
    samples : Audio
        At `RATE`.
    states : Frames | None
        Last hidden states of the transcriber's encoder, if they are there.
    """

    samples: Audio
    states: Frames | None = None
    start: float = 0.0


@dataclass(frozen=True, eq=False)
class Session:
    """A model at work.

    Parameters
    ----------
    grid : Grid | None
        Windows to predict; None predicts a recording as a whole.
    transcriber : Transcriber | None
        None writes no text.
    coverage : float
        See `Model.predictions`.
    """

    model: Model
    grid: Grid | None = None
    transcriber: Transcriber | None = None
    coverage: float = 0.9

    @cached_property
    def ear(self) -> Ear:
        """Return what hears recordings as the clips of the run were heard."""
        model, transcriber = self.model, self.transcriber
        cell, extractor = model.cell, model.extractor
        if transcriber is None or cell.extractor.preprocess or self.grid:  # it hears no windows
            return Ear(cell, extractor)
        return Ear(cell, shared(extractor, cell.extractor, transcriber) or extractor)

    @cached_property
    def versions(self) -> dict[str, str]:
        """Return the versions of what computes answers."""
        cell = self.model.cell
        return versions([*VERSIONED, *cell.extractor.requires, *cell.head.requires])

    @property
    def _hears_speech(self) -> bool:
        """Return whether the extractor hears what a transcriber does."""
        ear = self.ear
        return ear.extractor.sample_rate == RATE and not ear.cell.extractor.preprocess

    def answers(self, clips: Iterable[Clip]) -> Iterator[Answer | Failure]:
        """Yield the answer about every recording, in their order."""
        if self.grid:
            yield from (self._of_windows(clip, self.grid) for clip in clips)
            return
        chunk: list[Clip] = []
        seconds: list[float] = []
        for clip in clips:
            length = seconds_of(clip)
            if chunk and (len(chunk) == CHUNK or sum(seconds) + length > CHUNK_SECONDS):
                yield from self._of_wholes(chunk, seconds)
                chunk, seconds = [], []
            chunk.append(clip)
            seconds.append(length)
        if chunk:
            yield from self._of_wholes(chunk, seconds)

    def answer(self, samples: npt.NDArray[Any], rate: int, name: str = "") -> Answer:
        """Return the answer about an array.

        Parameters
        ----------
        samples : np.ndarray, shape=(n_samples,) or (n_samples, n_channels)
            In [-1, 1].
        rate : int
            In Hz.

        Raises
        ------
        ClipError
            If the samples are silent, not finite or far beyond [-1, 1].
        """
        start, source, ear = time.perf_counter(), name or "samples", self.ear
        rate_here, duration = ear.extractor.sample_rate, len(samples) / rate
        mono = audio.at_rate(samples, rate, rate_here, source=source)
        spans = windows.spans(duration, self.grid.seconds, self.grid.hop) if self.grid else [(0.0, duration)]
        pieces = [mono[round(first * rate_here) : round(last * rate_here)] for first, last in spans]
        parts = list(self._parts(spans, dict(ear.hear_samples(pieces))).values())
        if not parts:
            raise ClipError(f"{source}: {SILENT}")
        return self._answer(
            name, duration, parts, lambda: [Speech(audio.at_rate(samples, rate, RATE, source=source))], start
        )

    def _of_wholes(self, clips: Sequence[Clip], seconds: Sequence[float]) -> Iterator[Answer | Failure]:
        """Yield the answers about recordings that are predicted as wholes."""
        start = time.perf_counter()
        sounds = dict(self.ear.hear_files(clips, seconds))
        parts = self._parts([(0.0, length) for length in seconds], sounds)
        share = (time.perf_counter() - start) / len(clips)
        for row, clip in enumerate(clips):
            sound = sounds[row]
            if isinstance(sound, str):
                yield Failure(file=clip.id, error=sound)
                continue
            speech = Speech(sound.samples, sound.states) if self._hears_speech else None
            yield self._of_file(clip, seconds[row], [parts[row]], time.perf_counter() - share, speech)

    def _of_windows(self, clip: Clip, grid: Grid) -> Answer | Failure:
        """Return the answer about a recording whose windows are predicted."""
        start = time.perf_counter()
        try:
            pieces = windows.clips(clip, grid.seconds, grid.hop)
            first = clip.start or 0.0
            spans = [((piece.start or 0.0) - first, (piece.end or 0.0) - first) for piece in pieces]
            sounds = self.ear.hear_windows(pieces)
            parts: list[_Part] = []
            faults: list[str] = []
            while chunk := dict(itertools.islice(sounds, WINDOWS)):
                parts += self._parts(spans, chunk).values()
                faults += [sound for sound in chunk.values() if isinstance(sound, str)]
            if not parts:
                raise ClipError(faults[0])
            parts.sort(key=lambda part: part.start)
        except BenchError as error:
            return Failure(file=clip.id, error=str(error))
        return self._of_file(clip, spans[-1][1], parts, start)

    def _parts(
        self, spans: Sequence[tuple[float, float]], sounds: Mapping[int, Sound | str]
    ) -> dict[int, _Part]:
        """Return row -> prediction between the start and end of a span, in s, of every sound there is."""
        audible = {row: sound for row, sound in sorted(sounds.items()) if isinstance(sound, Sound)}
        predictions = self.model.predictions(list(audible.values()), self.coverage)
        return {
            row: _Part(*spans[row], prediction, sound.is_clipped)
            for (row, sound), prediction in zip(audible.items(), predictions, strict=True)
        }

    def _of_file(  # what an answer is made of
        self,
        clip: Clip,
        duration: float,
        parts: Sequence[_Part],
        start: float,
        speech: Speech | None = None,
    ) -> Answer | Failure:
        """Return the answer about a file whose parts are predicted; the transcriber may read it again."""
        try:
            return self._answer(clip.id, duration, parts, lambda: [speech] if speech else _read(clip), start)
        except BenchError as error:
            return Failure(file=clip.id, error=str(error))

    def _answer(  # what an answer is made of
        self,
        name: str,
        duration: float,
        parts: Sequence[_Part],
        speech: Callable[[], Iterable[Speech]],
        start: float,
    ) -> Answer:
        """Return an answer; `speech` returns the blocks of the recording that the transcriber needs."""
        model = self.model
        is_short = model.is_short(max(p.end - p.start for p in parts))
        if is_short and self.grid:  # every window would be far from the training clips
            parts = [replace(p, prediction=replace(p.prediction, unfamiliar=None)) for p in parts]
        in_windows = tuple(Window(start=p.start, end=p.end, prediction=p.prediction) for p in parts)
        whole = model.combined([p.prediction for p in parts], self.coverage)
        return Answer(
            file=name,
            model=model.name,
            task=model.cell.task.name,
            duration=round(duration, 3),
            prediction=whole,
            calibrated=model.card.calibration is not None and not self.grid,
            measured=model.measured,
            transcript=_transcript(self.transcriber, speech),
            windows=in_windows if self.grid else (),
            segments=segments.merge(in_windows) if self.grid else (),
            remarks=_remarks(is_short, any(p.is_clipped for p in parts)),
            seconds=round(time.perf_counter() - start, 3),
            versions=self.versions,
        )


def _remarks(is_short: bool, is_clipped: bool) -> tuple[Remark, ...]:
    remarks: dict[Remark, bool] = {"clipped": is_clipped, "short": is_short}
    return tuple(name for name, is_true in remarks.items() if is_true)


def _transcript(transcriber: Transcriber | None, speech: Callable[[], Iterable[Speech]]) -> Transcript | None:
    """Return the text of the blocks of a recording."""
    if transcriber is None:
        return None
    return joined((block.start, transcriber.transcribe(block.samples, block.states)) for block in speech())


def _read(clip: Clip) -> Iterator[Speech]:
    """Yield the blocks of a file.

    Raises
    ------
    ClipError
        If it cannot be read.
    """
    blocks = windows.blocks(clip, SPEECH_SECONDS)
    for block, samples in zip(blocks, audio.read_windows(blocks, RATE), strict=True):
        if isinstance(samples, ClipError):
            raise samples
        yield Speech(samples, start=(block.start or 0.0) - (clip.start or 0.0))
