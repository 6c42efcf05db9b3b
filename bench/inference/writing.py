"""Writing: answers -> JSON, CSV and a table, and the JSON Schema of an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

import msgspec
import pandas as pd
from tabulate import tabulate

from bench.errors import readable
from bench.files import indented_json
from bench.inference.answers import (
    SCHEMA,
    Answer,
    Failure,
    Measurement,
    Phrase,
    Prediction,
    Remark,
    Segment,
    Suppression,
    Unfamiliarity,
)
from bench.report.writers.csv import text


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenWindow:
    """A window of a recording in JSON; `start` and `end` are in s."""

    start: float
    end: float
    predicted_label: str
    confidence: float | None
    probabilities: Mapping[str, float]
    set: tuple[str, ...]
    unfamiliar: Unfamiliarity | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAnswer:
    """An answer in JSON, with the names of its fields.

    Parameters
    ----------
    transcription : str | None
        None if it was not asked for.
    language : str | None
        ISO 639-1 code; None without a transcription.
    voice_activity : bool | None
        Whether text without a voice was left out; None without a transcription.
    seconds : float
        Time that the answer took, in s; `duration` is the length of the recording, in s.
    """

    file: str
    transcription: str | None
    language: str | None
    predicted_label: str
    confidence: float | None
    probabilities: Mapping[str, float]
    set: tuple[str, ...]
    unfamiliar: Unfamiliarity | None
    calibrated: bool
    measured: Measurement
    model: str
    task: str
    duration: float
    segments: tuple[Segment, ...] = ()
    windows: tuple[WrittenWindow, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    suppressed: tuple[Suppression, ...] = ()
    transcriber: str | None = None
    voice_activity: bool | None = None
    remarks: tuple[Remark, ...] = ()
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a line of answers: an answer, or why there is none."""
    references, components = msgspec.json.schema_components(
        (WrittenAnswer, Failure), ref_template="#/$defs/{name}"
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "anyOf": list(references),
        "$defs": dict(components),
    }


def fields(answer: Answer | Failure, top: int | None = None) -> dict[str, Any]:
    """Return an answer as JSON has it.

    Parameters
    ----------
    top : int | None
        Number of classes whose probabilities are kept; None for all.
    """
    value = answer if isinstance(answer, Failure) else written(answer, top)
    values: dict[str, Any] = msgspec.to_builtins(value)
    return {**values, "file": readable(answer.file)}


def written(answer: Answer, top: int | None = None) -> WrittenAnswer:
    """Return an answer with the fields that JSON has; see `fields`."""
    transcript, prediction = answer.transcript, answer.prediction
    return WrittenAnswer(
        file=answer.file,
        transcription=transcript.text if transcript else None,
        language=transcript.language if transcript else None,
        predicted_label=prediction.predicted_label,
        confidence=prediction.confidence,
        probabilities=_first(prediction.probabilities, top),
        set=prediction.set,
        unfamiliar=prediction.unfamiliar,
        calibrated=answer.calibrated,
        measured=answer.measured,
        model=answer.model,
        task=answer.task,
        duration=answer.duration,
        segments=answer.segments,
        windows=tuple(_window(w.start, w.end, w.prediction, top) for w in answer.windows),
        phrases=transcript.phrases if transcript else (),
        suppressed=transcript.suppressed if transcript else (),
        transcriber=transcript.model if transcript else None,
        voice_activity=transcript.voice_activity if transcript else None,
        remarks=answer.remarks,
        seconds=answer.seconds,
        versions=answer.versions,
    )


def _window(start: float, end: float, prediction: Prediction, top: int | None) -> WrittenWindow:
    return WrittenWindow(
        start=start,
        end=end,
        predicted_label=prediction.predicted_label,
        confidence=prediction.confidence,
        probabilities=_first(prediction.probabilities, top),
        set=prediction.set,
        unfamiliar=prediction.unfamiliar,
    )


def _first(probabilities: Mapping[str, float], top: int | None) -> Mapping[str, float]:
    """Return the first probabilities, which are the highest."""
    return dict(list(probabilities.items())[:top])


def line(answer: Mapping[str, Any]) -> str:
    """Return the fields of an answer as one line of JSON."""
    return msgspec.json.encode(answer).decode()


def document(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return the fields of one answer as a JSON object, and those of several as a list."""
    value = answers[0] if len(answers) == 1 else answers
    return indented_json(value).rstrip("\n")


COLUMNS = (
    "file",
    "predicted_label",
    "confidence",
    "unfamiliar",
    "unfamiliar_score",
    "set",
    "transcription",
    "language",
    "duration",
    "seconds",
    "error",
)
"""Columns of the CSV before one per class."""


def table(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return the fields of answers as CSV: a row per recording, a column per class behind the others."""
    return text(pd.DataFrame([_line(answer) for answer in answers]).reindex(columns=_columns(answers)))


def _columns(answers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of answers in CSV."""
    classes = {name for answer in answers for name in answer.get("probabilities", ())}
    return [*COLUMNS, *(f"probability_{name}" for name in sorted(classes))]


def _line(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of an answer in CSV."""
    unfamiliar = answer.get("unfamiliar") or {}
    probabilities = answer.get("probabilities", {})
    return {
        **answer,
        **{f"probability_{name}": value for name, value in probabilities.items()},
        "unfamiliar": unfamiliar.get("flag"),
        "unfamiliar_score": unfamiliar.get("score"),
        "set": "; ".join(answer.get("set", ())),
    }


REMARKS: Mapping[Remark, str] = {"clipped": "clipped", "short": "shorter than the training clips"}
"""Remark -> its text in the table for people."""

TEXT_WIDTH = 60
"""Largest number of letters of a transcription in the table for people."""


def overview(answers: Sequence[Mapping[str, Any]]) -> str:
    """Return the fields of answers as a table for people."""
    return tabulate(
        [_row(answer) for answer in answers],
        headers=["file", "label", "confidence", "set", "remarks", "text"],
        disable_numparse=True,
    )


def _row(answer: Mapping[str, Any]) -> list[str]:
    """Return the cells of a recording in the table for people."""
    if "error" in answer:
        return [answer["file"], "-", "", "", answer["error"], ""]
    confidence, unfamiliar = answer["confidence"], answer["unfamiliar"]
    has_number = confidence is not None and math.isfinite(confidence)
    notes = ["unlike the training clips"] if unfamiliar and unfamiliar["flag"] else []
    return [
        answer["file"],
        answer["predicted_label"],
        f"{confidence:.2f}" if has_number else "",
        ", ".join(answer["set"]),
        "; ".join([*notes, *(REMARKS[name] for name in answer["remarks"])]),
        shorten(answer["transcription"] or "", TEXT_WIDTH, placeholder="..."),
    ]
