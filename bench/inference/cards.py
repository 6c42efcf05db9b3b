"""Cards: what a model was fitted to, how well it did, and what its confidence rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.calibration.calibration import Calibration

SCHEMA = 1
"""Version of a model's card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCard:
    """What a model was fitted to.

    Parameters
    ----------
    n_clips : int
        Number of clips with a label.
    seconds : float
        Length of all of them, in s.
    shortest : float
        Length that 5 % of the clips are shorter than, in s.
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
    shortest: float
    classes: Mapping[str, int]
    group: str
    n_groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What a model's folder holds beside the card of its pipeline.

    Parameters
    ----------
    calibration : Calibration | None
        Scores -> probabilities and prediction sets; None for a head without scores, and with too few groups.
    has_familiarity : bool
        Whether the folder holds the training embeddings that a recording is compared with.
    files : Mapping[str, str]
        File of the folder -> its SHA-256.
    """

    data: DataCard
    calibration: Calibration | None
    has_familiarity: bool
    files: Mapping[str, str] = field(default_factory=dict)
    schema: int = SCHEMA
