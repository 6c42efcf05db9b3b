"""Splits: protocols, groups and the refusal of leaks; lists of folds.

`make` returns the split of a task over a dataset. `protocols` has one class per value of ``--split``.
"""

from bench.datasets.grouping import join_groups
from bench.splits.checks import check
from bench.splits.groups import COPIES, permute_labels, shuffle_labels
from bench.splits.labels import target
from bench.splits.listings import listing
from bench.splits.protocols import (
    CrossValidation,
    HoldOut,
    LeaveOneGroupOut,
    ListedFolds,
    RandomFolds,
    SplitProtocol,
)
from bench.splits.repeats import is_repeatable, repeats
from bench.splits.selection import make, parse

__all__ = [
    "COPIES",
    "CrossValidation",
    "HoldOut",
    "LeaveOneGroupOut",
    "ListedFolds",
    "RandomFolds",
    "SplitProtocol",
    "check",
    "is_repeatable",
    "join_groups",
    "listing",
    "make",
    "parse",
    "permute_labels",
    "repeats",
    "shuffle_labels",
    "target",
]
