"""Checks of splits: leaks, classes without training clips, and requirements of a protocol."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from bench.errors import SplitError
from bench.splits.protocols import SplitProtocol
from bench.splits.refusals import refusal
from bench.types import CellObstacle, GroupObstacle, Labels, Split

MOST_EXAMPLES = 5
"""Largest number of names that an obstacle holds."""


def check(split: Split, y: Labels) -> None:
    """Refuse a split that leaks without saying so, tests nothing, or tests a class that it never trains on.

    Parameters
    ----------
    y : Labels
        Label of every clip, shape=(n_clips,).

    Raises
    ------
    SplitError
        With the fold, and the groups on both sides or the classes.
    """
    obstacle = fault(split, y)
    if obstacle:
        raise refusal(SplitError, CellObstacle("listed split", groups=(obstacle,)))


def fault(split: Split, y: Labels) -> GroupObstacle | None:
    """Return the first reason for which `check` refuses a split; None for a valid one."""
    rounds = list(split.rounds())
    if not rounds:
        return GroupObstacle((), "no test", protocol=split.name)
    columns = {} if split.leaky else {name: pd.factorize(group) for name, group in split.groups.items()}
    for fold, train, test in rounds:
        for column, (codes, names) in columns.items():
            sides = np.zeros((2, len(names)), dtype=bool)
            sides[0, codes[train]] = sides[1, codes[test]] = True
            both = set(names[sides.all(axis=0)].tolist())
            if both:
                return GroupObstacle(
                    (column,), "leak", len(both), len(names), _examples(both), protocol=split.name, fold=fold
                )
        unseen = set(np.unique(y[test]).tolist()) - set(np.unique(y[train]).tolist())
        if unseen:
            return GroupObstacle(
                (), "untrained class", len(unseen), 0, _examples(unseen), protocol=split.name, fold=fold
            )
    return None


def obstacle(
    columns: tuple[str, ...], group: Labels, y: Labels, protocol: SplitProtocol
) -> GroupObstacle | None:
    """Return the reason why a protocol cannot keep the groups of some columns apart; None if it can.

    Parameters
    ----------
    group, y : Labels
        Group and label of every clip, shape=(n_clips,).
    """
    n_groups = pd.Series(group).nunique()
    if n_groups < protocol.min_groups:
        return GroupObstacle(columns, "few groups", n_groups, protocol.min_groups)
    groups_per_class = pd.Series(group).groupby(y).nunique()
    single = groups_per_class.index[groups_per_class < 2].tolist()
    if single and not protocol.leaky:
        return GroupObstacle(columns, "single group", len(single), len(groups_per_class), _examples(single))
    n_clips = int(pd.Series(y).value_counts().max())
    if n_clips < protocol.min_clips:
        return GroupObstacle(columns, "few clips", n_clips, protocol.min_clips)
    return None


def _examples(names: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(map(str, names))[:MOST_EXAMPLES])
