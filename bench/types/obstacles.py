"""Why groups cannot be kept apart and cells not be computed, as values; `bench.display` has the words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bench.types.notes import Note

ObstacleKind = Literal[
    "absent",
    "incomplete",
    "few groups",
    "single group",
    "few clips",
    "no test",
    "untrained class",
    "leak",
    "text",
]


@dataclass(frozen=True, slots=True)
class GroupObstacle:
    """Why a split does not keep the groups of some columns apart.

    Parameters
    ----------
    columns : tuple[str, ...]
        Label columns; several if clips were in one group that share a value of any of them.
    kind : ObstacleKind
        ``absent``: there is no such column. ``incomplete``: clips have no value of it. ``few groups`` and
        ``few clips``: they are fewer than folds. ``single group``: classes have one group each. ``no test``:
        no clip is tested. ``untrained class``: a fold tests classes that it never trains on. ``leak``: groups
        are on both sides of a fold. ``text``: a sentence of a record that held no values.
    count : int
        Number of groups, clips or classes that the kind is about.
    total : int
        Number that the count is compared with: of folds, clips or classes.
    examples : tuple[str, ...]
        Names of some of what `count` counts, or the sentence.
    protocol, fold : str
        Split protocol and its fold, where the kind is about one.
    """

    columns: tuple[str, ...]
    kind: ObstacleKind
    count: int = 0
    total: int = 0
    examples: tuple[str, ...] = ()
    protocol: str = ""
    fold: str = ""


CellObstacleKind = Literal[
    "not installed",
    "no weights",
    "sees frames",
    "sees vectors",
    "no target",
    "one class",
    "no group",
    "split",
    "listed split",
    "single assignment",
    "few assignments",
    "class as group",
    "error",
]


@dataclass(frozen=True, slots=True)
class CellObstacle:
    """Why a planned cell cannot be computed.

    Parameters
    ----------
    kind : CellObstacleKind
        ``not installed`` and ``no weights``: of an extractor or head. ``sees frames`` and ``sees vectors``:
        the head does, and the options give it something else. ``no target``, ``one class`` and ``no group``:
        the labels do not allow the task. ``split`` and ``listed split``: no split of the data, or not the one
        that a list names, keeps groups apart. ``single assignment`` and ``few assignments``: the split does
        not allow that many repeats. ``class as group``: features would be z-scored per class. ``error``: a
        plugin or a file is broken, as `message` says.
    names : tuple[str, ...]
        Names that the kind is about: what is missing, its place, columns, a task, labels.
    counts : tuple[int, ...]
        Numbers that the kind is about.
    groups : tuple[GroupObstacle, ...]
        Why groups are not kept apart.
    unlabelled : tuple[int, int] | None
        Number of clips without a label, and of all clips; None if every clip has one.
    commands : tuple[str, ...]
        What to run or to ask for instead.
    spellings : tuple[Note, ...]
        Labels and groups that may be the cause, since they differ only in spelling.
    message : str
        Text of an error, in one line; obstacles that differ in it alone are equal.
    """

    kind: CellObstacleKind
    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    groups: tuple[GroupObstacle, ...] = ()
    unlabelled: tuple[int, int] | None = None
    commands: tuple[str, ...] = ()
    spellings: tuple[Note, ...] = ()
    message: str = field(default="", compare=False)
