"""Cells, their results and costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Self

from bench.costs import Cost
from bench.types.components import Spec, View, identity_name
from bench.types.data import Task
from bench.types.obstacles import CellObstacle

SCHEMA = 5
"""Version of a line in results.jsonl."""


@dataclass(frozen=True, slots=True)
class TaskId:
    """A task's name, and the kind of its target."""

    name: str
    kind: str = "classes"


@dataclass(frozen=True, slots=True)
class SplitId:
    """How clips were split.

    Parameters
    ----------
    protocol : str
        Name of the protocol, such as ``cv:5`` or ``fixed``.
    group : str
        Label column that no fold shares with another.
    leaky : bool
        Whether the folds ignore the groups, to show the effect of a leak.
    permuted : bool
        Whether the groups exchanged their labels, in a result of an earlier release.
    repeat : int
        Number of the assignment of groups to folds, from 0; others than 0 are repetitions.
    """

    protocol: str
    group: str
    leaky: bool = False
    permuted: bool = False
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A preprocessing step with its value, such as ``trim`` with 40.0; None for a step without a value."""

    name: str
    value: float | str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of training clips, with the range that its value is drawn from."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Changed copies of the training clips: the changes, and the number of copies of every clip."""

    changes: tuple[Change, ...]
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the matrix: dataset x task x extractor(view) x head x seed.

    Parameters
    ----------
    key : str
        Digest of everything that changes the result.
    steps : tuple[Spec, ...]
        Reducers before the head.
    preprocess : tuple[Step, ...]
        Steps before the extractor.
    train_size : float
        Share of the groups of every class that the head is trained on, in (0, 1].
    n_permutations : int
        Number of permutations of the labels that it is trained on besides, of each kind.
    normalise : str
        Label column per whose values the features are z-scored; empty for none.
    """

    key: str
    dataset: str
    synthetic: bool
    task: Task
    extractor: Spec
    view: View
    head: Spec
    seed: int
    split: SplitId
    steps: tuple[Spec, ...] = ()
    preprocess: tuple[Step, ...] = ()
    augmentation: Augmentation | None = None
    train_size: float = 1.0
    n_permutations: int = 0
    normalise: str = ""


SELECTED = "selected"
"""Name, in place of a head's, of the row that is chosen in inner folds."""

SCORE_PREFIX = "score_"
"""Prefix of the columns of predictions that hold the score of a class."""

VOTES_PREFIX = "votes_"
"""Prefix of the columns of predictions that count the frames of a clip that vote for a class."""


class Status(StrEnum):
    """How a cell ended."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"


Level = Literal["clip", "frame", "frame-mean", "parent-vote", "parent-mean", "cluster"]
"""What a score is over: the dataset's clips, their frames, the mean scores of their frames, the clips that
segments are parts of (by vote or by mean score), or clusters."""


Unbounded = Literal["", "few_groups", "rare_failures", "too_large"]
"""Why a score has no interval: too few groups to see a spread, or to see rare failures, or more clips than
minutes allow. Empty with an interval, and for scores that never have one."""


@dataclass(frozen=True, slots=True)
class Score:
    """A metric's value over all tested clips.

    Parameters
    ----------
    metric : str
        Name of the metric.
    level : Level
        What the metric is over.
    low, high : float | None
        Bounds of the 95 % interval; None without one.
    folds : tuple[float, ...]
        Value in every fold.
    unbounded : Unbounded
        Why there is no interval.
    """

    metric: str
    value: float
    level: Level = "clip"
    low: float | None = None
    high: float | None = None
    folds: tuple[float, ...] = ()
    unbounded: Unbounded = ""

    @property
    def column(self) -> tuple[str, Level]:
        """Return the metric and the level; no other score of a result shares them."""
        return self.metric, self.level

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the interval; the value itself where there is none."""
        low = self.value if self.low is None else self.low
        return low, self.value if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class System:
    """What a cell tests, whatever the data, the task and the seed; it identifies a row of a leaderboard.

    Parameters
    ----------
    preprocess : tuple[Step, ...]
        Steps before the extractor.
    train_size : float
        Share of the training groups, in (0, 1].
    normalise : str
        Label column per whose values the features are z-scored; empty for none.
    is_tuned : bool
        Whether parameters of the head are chosen in inner folds.
    """

    extractor: str
    view: View
    head: str
    preprocess: tuple[Step, ...] = ()
    augmentation: Augmentation | None = None
    train_size: float = 1.0
    normalise: str = ""
    is_tuned: bool = False


def score_of(scores: Iterable[Score], metric: str, level: Level) -> Score | None:
    """Return the score of a metric at a level; None if there is none."""
    return next((score for score in scores if score.column == (metric, level)), None)


@dataclass(frozen=True, slots=True)
class Choice:
    """The row that was chosen for one outer fold.

    Parameters
    ----------
    key : str
        Key of its cell.
    inner : float
        Its score over inner folds of the training side, the best one of all candidates.
    """

    fold: str
    key: str
    extractor: str
    view: View
    head: str
    inner: float
    is_tuned: bool = False


@dataclass(frozen=True, slots=True)
class CopiedGroup:
    """A tested group that looks like a copy of a training group.

    Parameters
    ----------
    share : float
        Share of its clips that match one clip each of the other group, in [0, 1].
    """

    group: str
    original: str
    share: float


@dataclass(frozen=True, slots=True)
class Permutations:
    """Scores of a cell's pipeline on permuted labels, by the ranking metric.

    Parameters
    ----------
    between, within : tuple[float, ...]
        Score of every draw, with labels exchanged between groups and within groups.
    shifted : tuple[float, ...]
        Mean score of the predictions of the draws between groups by the labels of the draw k further, for
        every k from 1; the mean of `between` is that for k = 0.
    copies : tuple[CopiedGroup, ...] | None
        Groups that look like copies; None for too few draws or too many clips.
    """

    between: tuple[float, ...]
    within: tuple[float, ...]
    shifted: tuple[float, ...]
    copies: tuple[CopiedGroup, ...] | None


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one cell: a line of results.jsonl.

    Parameters
    ----------
    split : SplitId | None
        None for a cell whose split is impossible.
    reason : str
        Error of a cell that failed, in one line, or of what failed beside its scores.
    obstacle : CellObstacle | None
        Why the cell cannot be computed; None if the plan holds it, or in a result of an earlier release.
    scores : tuple[Score, ...]
        The first one ranks.
    n_groups : int
        Number of groups of the tested clips; intervals are drawn from them.
    n_bad : int
        Number of clips that cannot be decoded.
    tuned : tuple[Mapping[str, Any], ...]
        Chosen parameters of every fold.
    is_tuned : bool
        Whether parameters of the head are chosen in inner folds.
    predictions : str
        Digest of the predictions that the scores come from.
    split_digest : str
        Digest of every clip's content, label, fold and groups: only results that share it are comparable.
    inner : tuple[float, ...]
        Score by the ranking metric over inner folds of the training side of every fold, with ``--select``.
    chosen : tuple[Choice, ...]
        The row that was chosen for every fold; empty for a row that is not the choice among others.
    permutations : Permutations | None
        Scores on permuted labels; None if they were not asked for.
    layers : tuple[int, ...]
        Layer that inner folds of the training side chose for every fold, with the layer ``best``.
    """

    key: str
    dataset: str
    task: TaskId
    extractor: str
    view: View
    head: str
    seed: int
    split: SplitId | None
    status: Status
    synthetic: bool = False
    preprocess: tuple[Step, ...] = ()
    augmentation: Augmentation | None = None
    reason: str = ""
    scores: tuple[Score, ...] = ()
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
    inner: tuple[float, ...] = ()
    chosen: tuple[Choice, ...] = ()
    permutations: Permutations | None = None
    normalise: str = ""
    layers: tuple[int, ...] = ()
    obstacle: CellObstacle | None = None
    is_tuned: bool = False
    schema: int = SCHEMA

    @classmethod
    def unfinished(cls, cell: Cell, status: Status, reason: str = "") -> Self:
        """Return the result of a cell without scores."""
        return cls(
            key=cell.key,
            dataset=cell.dataset,
            task=TaskId(cell.task.name),
            extractor=cell.extractor.name,
            view=cell.view,
            head=cell.head.name,
            seed=cell.seed,
            split=cell.split,
            status=status,
            synthetic=cell.synthetic,
            preprocess=cell.preprocess,
            augmentation=cell.augmentation,
            train_size=cell.train_size,
            normalise=cell.normalise,
            is_tuned=cell.head.is_tuned,
            reason=reason,
        )

    def score(self, metric: str, level: Level = "clip") -> Score | None:
        """Return the score of a metric at a level; None if the cell has none."""
        return score_of(self.scores, metric, level)

    @property
    def repeat(self) -> int:
        """Return the number of the assignment of groups to folds."""
        return self.split.repeat if self.split else 0

    @property
    def system(self) -> System:
        """Return what the cell tests."""
        return System(
            extractor=self.extractor,
            view=self.view,
            head=self.head,
            preprocess=self.preprocess,
            augmentation=self.augmentation,
            train_size=self.train_size,
            normalise=self.normalise,
            is_tuned=self.is_tuned,
        )

    @property
    def identity_names(self) -> tuple[str, str]:
        """Return the names of the identities of the extractor and the head in the record of a run."""
        return self.extractor, identity_name(self.head, is_tuned=self.is_tuned)
