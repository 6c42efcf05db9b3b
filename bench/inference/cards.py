"""Cards: what a model was fitted to, how well it did, and what its confidence rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.calibration.conformal import PredictionSets
from bench.calibration.probabilities import Calibrator

SCHEMA = 1
"""Version of a model's card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCard:
    """What a model was fitted to.

    Parameters
    ----------
    seconds : float
        Length of all clips, in s.
    classes : Mapping[str, int]
        Class -> number of its clips.
    group : str
        Label column whose groups the folds of the run kept apart.
    """

    dataset: str
    version: str
    synthetic: bool
    n_clips: int
    seconds: float
    classes: Mapping[str, int]
    group: str
    n_groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationError:
    """Expected calibration error on held-out groups, before and after calibration."""

    before: float
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a model's folder holds beside the card of its pipeline.

    Parameters
    ----------
    calibrator : Calibrator | None
        Scores -> probabilities; None for a head without scores.
    calibration_error : CalibrationError | None
        None where too few groups allow no estimate.
    sets : PredictionSets | None
        Probabilities -> prediction sets; None without probabilities.
    has_familiarity : bool
        Whether the folder holds the training embeddings that a recording is compared with.
    files : Mapping[str, str]
        File of the folder -> its SHA-256.
    """

    data: DataCard
    calibrator: Calibrator | None
    calibration_error: CalibrationError | None
    sets: PredictionSets | None
    has_familiarity: bool
    files: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA
