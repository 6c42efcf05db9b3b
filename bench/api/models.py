"""Use a model that `bench export` wrote, in a notebook or a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import audio, catalog, paths
from bench.errors import ClipError, UsageError
from bench.inference import explanations, folder, transcription, writing
from bench.inference.answers import Failure
from bench.inference.cards import ModelCard
from bench.inference.explanations import Explanation, Method
from bench.inference.model import Model
from bench.inference.session import Session
from bench.inference.work import grid_of
from bench.inference.writing import WrittenAnswer
from bench.request import Request
from bench.types import Audio, Clip

Samples = npt.NDArray[Any]


@dataclass(frozen=True)
class LoadedModel:
    """A fitted row of a leaderboard, ready for new recordings on a device."""

    model: Model
    device: str = "auto"

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the classes, sorted."""
        return self.model.labels

    @property
    def card(self) -> ModelCard:
        """Return what the model was fitted to, and what its confidence rests on."""
        return self.model.card

    def predict(  # a recording, and the options of `bench predict`
        self,
        source: str | Path | Samples,
        rate: int | None = None,
        *,
        segments: str = "",
        transcribe: str = "",
        language: str | None = None,
        coverage: float = 0.9,
    ) -> WrittenAnswer:
        """Return the answer about a recording, with the fields that JSON has.

        Parameters
        ----------
        source : str | Path | np.ndarray
            A file, or samples in [-1, 1], shape=(n_samples,) or (n_samples, n_channels).
        rate : int | None
            Rate of the samples, in Hz; None for a file.
        segments, transcribe, language, coverage
            See ``bench predict``; None detects the language.

        Raises
        ------
        ClipError
            If the recording cannot be read, or is silent.
        UsageError
            If samples come without a rate or in another shape, or an option names something unknown.
        """
        session = Session(
            self.model, grid_of(segments), _transcriber(transcribe, language, self.device), coverage
        )
        if not isinstance(source, str | Path):
            return writing.written(session.answer(*_checked(source, rate)))
        [answer] = session.answers([Clip(id=str(source), path=Path(source))])
        if isinstance(answer, Failure):
            raise ClipError(answer.error)
        return writing.written(answer)

    def predict_many(self, files: Sequence[str | Path]) -> list[WrittenAnswer | Failure]:
        """Return the answer about every file, or why there is none, in their order."""
        clips = [Clip(id=str(file), path=Path(file)) for file in files]
        answers = Session(self.model).answers(clips)
        return [part if isinstance(part, Failure) else writing.written(part) for part in answers]

    def explain(
        self,
        source: str | Path | Samples,
        rate: int | None = None,
        *,
        method: Method = "saliency",
        label: str | None = None,
    ) -> Explanation:
        """Return which parts of a recording a prediction rests on.

        Parameters
        ----------
        source, rate
            See `predict`.
        method : str
            ``saliency``, ``occlusion`` or ``gradcam``.
        label : str | None
            Class to explain; None for the predicted one.

        Raises
        ------
        UsageError
            If samples come without a rate or in another shape, or the method does not fit the model.
        ClipError
            If the recording cannot be read.
        """
        return explanations.explain(self.model, self._samples(source, rate), method, label)

    def _samples(self, source: str | Path | Samples, rate: int | None) -> Audio:
        """Return a recording at the extractor's rate."""
        here = self.model.extractor.sample_rate
        if isinstance(source, str | Path):
            return audio.read(Clip(id=str(source), path=Path(source)), here)
        return audio.at_rate(*_checked(source, rate), here, source="samples")


def load_model(
    path: str | Path, *, weights: str = "", device: str = "auto", trusted: Sequence[str] = ()
) -> LoadedModel:
    """Return the model in a folder that ``bench export`` wrote.

    Parameters
    ----------
    weights : str
        Folder or file of the extractor's weights; empty for where its name says.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    trusted : Sequence[str]
        Types of your own that its files may hold, and the name of an extractor without an entry, such as
        ``mine.py:Zcr``. Their code may run.

    Raises
    ------
    UsageError
        If the folder holds no model, a file was changed or is damaged, or the extractor here is another one
        than the model was fitted with.
    """
    request = Request(home=paths.home(), device=device)
    model = folder.read(Path(path), catalog.load(), request, weights=weights, trusted=trusted)
    return LoadedModel(model, device)


def _checked(source: Samples, rate: int | None) -> tuple[Samples, int]:
    """Return samples as float32, and their rate in Hz.

    Raises
    ------
    UsageError
        If there is no rate above 0, or the samples are no mono or multichannel audio.
    """
    samples = np.asarray(source, dtype=np.float32)
    if rate is None or rate <= 0:
        raise UsageError(
            f"samples without a rate ({rate}); expected the rate in Hz, as in predict(samples, 16000)"
        )
    is_multichannel = samples.ndim == 2 and samples.shape[1] <= samples.shape[0]
    if samples.ndim != 1 and not is_multichannel:
        raise UsageError(
            f"samples have the shape {samples.shape}; expected (n_samples,) or (n_samples, n_channels)"
        )
    return samples, rate


@cache
def _transcriber(name: str, language: str | None, device: str) -> Any:
    """Return the transcriber of a name; None for no name."""
    if not name:
        return None
    return transcription.load(name, language=language, declared=catalog.load(), device=device)
