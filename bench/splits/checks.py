"""Checks of splits: leaks, classes without training clips, and requirements of a protocol."""

import numpy as np
import pandas as pd

from bench.errors import SplitError, shortlist
from bench.splits.protocols import SplitProtocol
from bench.types import Labels, Split


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
    rounds = list(split.rounds())
    if not rounds:
        raise SplitError(
            f"split '{split.name}' tests no clip; expected the folds train and test, or two or more folds"
        )
    columns = {} if split.leaky else {name: pd.factorize(group) for name, group in split.groups.items()}
    for fold, train, test in rounds:
        for column, (codes, names) in columns.items():
            sides = np.zeros((2, len(names)), dtype=bool)
            sides[0, codes[train]] = sides[1, codes[test]] = True
            both = set(names[sides.all(axis=0)].tolist())
            if both:
                raise SplitError(
                    f"split '{split.name}' leaks: {column} {shortlist(both)} on both sides of fold '{fold}'; "
                    f"put every {column} into one fold"
                )
        unseen = set(np.unique(y[test]).tolist()) - set(np.unique(y[train]).tolist())
        if unseen:
            raise SplitError(
                f"split '{split.name}' tests classes in fold '{fold}' that it never trains on: "
                f"{shortlist(unseen)}"
            )


def obstacle(column: str, group: Labels, y: Labels, protocol: SplitProtocol) -> str:
    """Return the reason why a protocol cannot keep the groups of a column apart; empty if it can.

    Parameters
    ----------
    group, y : Labels
        Group and label of every clip, shape=(n_clips,).
    """
    n_groups = pd.Series(group).nunique()
    if n_groups < protocol.min_groups:
        return f"{n_groups} groups are fewer than {protocol.min_groups} folds"
    groups_per_class = pd.Series(group).groupby(y).nunique()
    single = groups_per_class[groups_per_class < 2]
    if len(single) and not protocol.leaky:
        return (
            f"{len(single)} of {len(groups_per_class)} classes have a single {column} "
            f"({shortlist(single.index)})"
        )
    n_clips = int(pd.Series(y).value_counts().max())
    if n_clips < protocol.min_clips:
        return f"no class has more than {n_clips} clips, fewer than {protocol.min_clips} folds"
    return ""
