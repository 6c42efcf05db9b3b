"""Cells, their results and costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bench.costs import Cost
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
