"""Pictures: the figures of one answer, beside its files."""

from __future__ import annotations

from pathlib import Path

from bench import audio
from bench.inference import explanations, figures
from bench.inference.answers import Answer
from bench.inference.explanations import Method
from bench.inference.model import Model
from bench.types import Clip


def draw(model: Model, clip: Clip, answer: Answer, place: Path, method: Method | None) -> list[Path]:
    """Write the figures of an answer, and return their paths.

    Parameters
    ----------
    place : Path
        Start of the names of the files.
    method : Explanation | None
        How the prediction is explained; None draws no explanation.

    Raises
    ------
    UsageError
        If the method does not fit the model.
    ClipError
        If the recording cannot be read, or is too long for an explanation.
    """
    paths = [_beside(place, "confidence_bar")]
    figures.confidence(answer.prediction, paths[0])
    if answer.windows:
        paths.append(_beside(place, "timeline"))
        figures.timeline(answer, paths[-1])
    paths.append(_beside(place, "spectrogram"))
    rate = model.extractor.sample_rate
    if clip.start is None and clip.end is None:
        figures.spectrogram_of_file(clip.path, paths[-1])
    else:
        figures.spectrogram(audio.read(clip, rate), rate, paths[-1])
    if method:
        samples = audio.read(clip, rate)
        explanation = explanations.explain(model, samples, method, answer.prediction.predicted_label)
        paths.append(_beside(place, "saliency"))
        explanations.figure(explanation, samples, rate, paths[-1])
    return paths


def _beside(place: Path, name: str) -> Path:
    return place.with_name(f"{place.name}_{name}.png")
