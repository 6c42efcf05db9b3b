"""Hearing: recordings -> samples and embeddings, in batches, a few of them in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench import audio, preprocess
from bench.embed.cache import ClipEmbedding
from bench.embed.decoding import decode
from bench.embed.engine import embed_audio
from bench.errors import ClipError
from bench.inference.shared_encoder import SharedEncoder
from bench.runner.planning import FRAMED
from bench.types import Audio, Cell, Clip, Extractor, Frames, Layer

LONGEST_SECONDS = 3600.0
"""Longest recording that is embedded as a whole, in s."""

SILENT = "is silent: every sample is 0; there is nothing to predict"
"""Why silence has no prediction."""

CLIPPED = 0.999
"""Level from which a sample counts as clipped; full scale is 1."""

CLIPPED_SHARE = 0.001
"""Share of clipped samples from which a recording counts as clipped."""


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Samples and embedding of a recording.

    Parameters
    ----------
    samples : Audio
        At the extractor's rate, after its preprocessing.
    states : Frames | None
        Last hidden states of the extractor, if it shares them with a transcriber.
    """

    samples: Audio
    embedding: ClipEmbedding
    states: Frames | None = None

    @property
    def is_clipped(self) -> bool:
        """Return whether a noticeable share of the samples is at full scale."""
        return bool(np.mean(np.abs(self.samples) >= CLIPPED) > CLIPPED_SHARE)


@dataclass(frozen=True, slots=True, eq=False)
class Ear:
    """An extractor with everything that the embeddings of a cell depend on."""

    cell: Cell
    extractor: Extractor

    def hear_files(
        self, clips: Sequence[Clip], seconds: Sequence[float]
    ) -> Iterator[tuple[int, Sound | str]]:
        """Yield the row of every clip with its sound, or with the reason if it cannot be heard.

        Clips of similar length come one after the other, since a batch is padded to its longest clip.

        Parameters
        ----------
        seconds : Sequence[float]
            Length of every clip, in s, as `seconds_of` returns it.
        """
        rows: dict[str, int] = {}
        for row in np.argsort([-length for length in seconds], kind="stable").tolist():
            fault = _fault(clips[row], seconds[row])
            if fault:
                yield row, fault
            else:
                rows[f"{row:x}"] = row
        todo = {key: clips[row] for key, row in rows.items()}
        sounds = self.hear(decode(todo, self.cell.extractor, self.extractor.sample_rate, ()))
        for key, sound in sounds:
            row = rows[key]
            yield row, f"{clips[row].path}: {sound}" if sound == SILENT else sound

    def hear_windows(self, clips: Sequence[Clip]) -> Iterator[tuple[int, Sound | str]]:
        """Yield the row of every window of one file with its sound, or with the reason if it cannot be heard.

        Parameters
        ----------
        clips : Sequence[Clip]
            Windows of about one length, in the order of time: the file is read forward, a part at a time.
        """
        fault = _fault(clips[0], seconds_of(clips[0])) if clips else ""
        if fault:
            yield from ((row, fault) for row in range(len(clips)))
            return
        steps = preprocess.parse(self.cell.extractor.preprocess)
        windows = audio.read_windows(clips, self.extractor.sample_rate, steps.quality)
        samples = (
            (f"{row:x}", str(window) if isinstance(window, ClipError) else steps.apply(window))
            for row, window in enumerate(windows)
        )
        yield from ((int(key, 16), sound) for key, sound in self.hear(samples))

    def hear_samples(self, arrays: Sequence[Audio]) -> Iterator[tuple[int, Sound | str]]:
        """Yield the row of every array with its sound, or with the reason if it cannot be heard.

        Parameters
        ----------
        arrays : Sequence[Audio]
            Each of shape=(n_samples,), at the extractor's rate.
        """
        steps = preprocess.parse(self.cell.extractor.preprocess)
        clips = ((f"{row:x}", steps.apply(samples)) for row, samples in enumerate(arrays))
        yield from ((int(key, 16), sound) for key, sound in self.hear(clips))

    def hear(self, clips: Iterator[tuple[str, Audio | str]]) -> Iterator[tuple[str, Sound | str]]:
        """Yield the name of every clip with its sound, or with the reason if it cannot be heard."""
        waiting: dict[str, Audio] = {}

        def audible() -> Iterator[tuple[str, Audio | str]]:
            for name, samples in clips:
                if isinstance(samples, str):
                    yield name, samples
                elif not samples.any():
                    yield name, SILENT
                else:
                    waiting[name] = samples
                    yield name, samples

        layers: Sequence[Layer] = [self.cell.view.layer] if self.cell.head.unit in FRAMED else []
        for name, result in embed_audio(audible(), self.cell.extractor, self.extractor, layers):
            if isinstance(result, str):
                yield name, result
                continue
            samples = waiting.pop(name)
            encoder = self.extractor
            states = encoder.states(samples) if isinstance(encoder, SharedEncoder) else None
            yield name, Sound(samples, result, states)


def seconds_of(clip: Clip) -> float:
    """Return the length of a clip in s; 0 if its file cannot be opened."""
    if clip.start is not None and clip.end is not None:
        return clip.end - clip.start
    try:
        return audio.seconds(clip)
    except ClipError:
        return 0.0


def _fault(clip: Clip, seconds: float) -> str:
    """Return why a clip is not read at all; empty if it is."""
    if not clip.path.exists():
        return f"{clip.path}: no such file"
    if seconds > LONGEST_SECONDS:
        return (
            f"{clip.path}: is {seconds:.0f} s long; expected at most {LONGEST_SECONDS:.0f} s at once, "
            "so add --segments 3:1"
        )
    return ""
