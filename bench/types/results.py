"""Cells, their results and costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from bench.types.components import Spec, View
from bench.types.data import Task

SCHEMA = 3
"""Version of a line in results.jsonl."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the matrix: dataset x task x extractor(view) x head x seed.

    Parameters
    ----------
    split : str
        The split in words: what it is and which column it keeps apart.
    key : str
        The digest of everything that changes the result.
    steps : tuple[Spec, ...]
        The reducers before the head.
    augment : str
        What is done to copies of the training clips; empty if there are none.
    train_size : float
        The share of the groups of every class that is trained on, in (0, 1].
    """

    dataset: str
    synthetic: bool
    task: Task
    extractor: Spec
    view: View
    head: Spec
    seed: int
    split: str
    key: str
    steps: tuple[Spec, ...] = ()
    augment: str = ""
    train_size: float = 1.0


SCORE_PREFIX = "score_"


VOTES_PREFIX = "votes_"
"""Of the columns of predictions that hold a class's score, or how many of a clip's frames are for it."""


class Status(StrEnum):
    """How a cell ended."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Score:
    """One metric's value over all tested clips, its interval if computed, and its value per fold."""

    value: float
    low: float | None = None
    high: float | None = None
    folds: tuple[float, ...] = ()

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the interval; the value itself where there is none."""
        low = self.value if self.low is None else self.low
        return low, self.value if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class Usage:
    """What some work took in the process that did it.

    Parameters
    ----------
    seconds, cpu_s : float
        By the clock, and by the processor over all threads of the process, in s.
    peak_mb : float
        The most memory that the process held meanwhile, in MB of 10^6 bytes.
    gpu_mb : float | None
        The most that torch held on the GPU; None where it used none.
    energy_wh : float | None
        By codecarbon, in Wh; None where that is not installed.
    """

    seconds: float
    cpu_s: float
    peak_mb: float
    gpu_mb: float | None = None
    energy_wh: float | None = None

    def part(self, share: float) -> Self:
        """Return what a share of the work took; memory is not shared."""
        energy_wh = None if self.energy_wh is None else share * self.energy_wh
        return dataclasses.replace(
            self, seconds=share * self.seconds, cpu_s=share * self.cpu_s, energy_wh=energy_wh
        )

    @classmethod
    def total(cls, usages: Sequence[Self]) -> Self:
        """Return what several pieces of work took together, one after the other."""
        gpu = [each.gpu_mb for each in usages if each.gpu_mb is not None]
        energy = [each.energy_wh for each in usages if each.energy_wh is not None]
        return cls(
            seconds=sum(each.seconds for each in usages),
            cpu_s=sum(each.cpu_s for each in usages),
            peak_mb=max(each.peak_mb for each in usages),
            gpu_mb=max(gpu) if gpu else None,
            energy_wh=sum(energy) if energy else None,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a cell took, measured where it was done; of the embedding, when that was done.

    Parameters
    ----------
    audio_s : float
        The length of the clips that were embedded, in s.
    extract_s, extract_cpu_s : float, float | None
        What embedding them took by the clock and by the processor, decoding included in the latter, in s.
    fit_s, predict_s, cpu_s : float, float, float | None
        What all folds took by the clock, and both together by the processor, in s.
    dim : int
        Of what the head saw.
    params : int | None
        Of the extractor's network; None where the extractor does not say.
    peak_mb, gpu_mb, energy_wh : float | None
        As in `Usage`, of embedding and evaluation together.

    What an earlier version did not measure is None.
    """

    audio_s: float = 0.0
    extract_s: float = 0.0
    extract_cpu_s: float | None = None
    fit_s: float = 0.0
    predict_s: float = 0.0
    cpu_s: float | None = None
    dim: int = 0
    params: int | None = None
    peak_mb: float | None = None
    gpu_mb: float | None = None
    energy_wh: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One cell's outcome: a line of results.jsonl.

    Parameters
    ----------
    n_groups : int
        Groups of the tested clips, which the intervals are drawn from.
    tuned : tuple[Mapping[str, Any], ...]
        The parameters chosen in every fold.
    predictions : str
        The digest of the predictions that the scores are of.
    split_digest : str
        Of every clip's content, label, fold and groups: only results that share it can be compared.
    """

    key: str
    dataset: str
    task: str
    extractor: str
    view: str
    head: str
    seed: int
    split: str
    status: Status
    synthetic: bool = False
    preprocess: str = ""
    augment: str = ""
    reason: str = ""
    scores: Mapping[str, Score] = field(default_factory=dict)
    n_train: int = 0
    n_test: int = 0
    n_classes: int = 0
    n_groups: int = 0
    n_bad: int = 0
    train_size: float = 1.0
    cost: Cost = field(default_factory=Cost)
    env: Mapping[str, str] = field(default_factory=dict)
    tuned: tuple[Mapping[str, Any], ...] = ()
    predictions: str = ""
    split_digest: str = ""
    schema: int = SCHEMA
