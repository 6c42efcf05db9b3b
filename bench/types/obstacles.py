"""Why a split cannot keep the groups of some columns apart, as values; `bench.display` has the words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
