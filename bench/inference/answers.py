"""Answers: what a model says about one recording, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SCHEMA = 1
"""Version of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfamiliarity:
    """How far a recording is from the training clips.

    Parameters
    ----------
    score : float
        Distance to the training clips, divided by the limit.
    flag : bool
        Whether the distance exceeds the limit, which 5 % of clips of unheard groups exceed.
    """

    score: float
    flag: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Score of the model's row in its run, with the bounds of its 95 % interval; None without one."""

    metric: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A label with what supports it.

    Parameters
    ----------
    confidence : float | None
        Probability of the label, in [0, 1]; None for a head without scores.
    probabilities : Mapping[str, float]
        Class -> probability, the most probable first.
    set : tuple[str, ...]
        Classes of the conformal prediction set, the most probable first.
    unfamiliar : Unfamiliarity | None
        None for a model without a measure of it.
    """

    predicted_label: str
    confidence: float | None
    probabilities: Mapping[str, float]
    set: tuple[str, ...] = ()
    unfamiliar: Unfamiliarity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Prediction for a window of a recording, `start` to `end` in s."""

    start: float
    end: float
    prediction: Prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Neighbouring windows with one label, `start` to `end` in s, with their mean confidence.

    Parameters
    ----------
    unfamiliar : bool
        Whether most of its windows are far from the training clips.
    """

    start: float
    end: float
    label: str
    confidence: float | None
    unfamiliar: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Text of a part of a recording, `start` to `end` in s."""

    start: float
    end: float
    text: str


Silence = Literal["no voice", "no speech"]
"""Why a part has no text: the voice-activity check heard no voice, or the transcriber itself no speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A part of a recording whose text was left out, `start` to `end` in s."""

    start: float
    end: float
    reason: Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Text of a recording.

    Parameters
    ----------
    language : str
        ISO 639-1 code, such as ``en``; empty if it was to be detected and there is no speech.
    model : str
        Name of the transcriber.
    voice_activity : bool
        Whether a voice-activity check looked for voices (silero-vad is installed); else parts without speech
        are those of the transcriber's own probability alone.
    """

    text: str
    language: str
    model: str
    phrases: tuple[Phrase, ...] = ()
    suppressed: tuple[Suppression, ...] = ()
    voice_activity: bool = False


Remark = Literal["clipped", "short"]
"""What a reader should know of a recording: samples are at full scale, as of a level that was too high; or it
is, or its windows are, much shorter than the training clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why there is no answer about a recording, in one line."""

    file: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model says about one recording.

    Parameters
    ----------
    file : str
        Path as the user named it; empty for an array.
    model : str
        Name of the model: extractor, view and head.
    task : str
        Task that the model was trained on.
    duration : float
        Length of the recording, in s.
    calibrated : bool
        Whether the probabilities are calibrated on held-out clips; those of a recording in windows are means.
    measured : Measurement
        Score of the model's row in its run.
    windows, segments
        With windows: the prediction of every window, and runs of windows with one label.
    seconds : float
        Time that the answer took, in s.
    versions : Mapping[str, str]
        Versions of this package and of what computed the answer.
    """

    file: str
    model: str
    task: str
    duration: float
    prediction: Prediction
    calibrated: bool
    measured: Measurement
    transcript: Transcript | None = None
    windows: tuple[Window, ...] = ()
    segments: tuple[Segment, ...] = ()
    remarks: tuple[Remark, ...] = ()
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA
