"""Split protocols, one class each: labels and groups of clips -> the fold of every clip.

Conventions: `y`, `groups` and the folds are arrays of str, shape=(n_clips,). Clips of one group are in one
fold, except with `RandomFolds`. The seed of a cell changes the head, never the split: the seed of the folds
is `SEED`, and others only repeat a cross-validation.
"""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from bench.datasets.folds import canonical
from bench.types import Labels

N_FOLDS = 5
"""Number of folds if ``--split`` does not give one."""

SEED = 0
"""Seed of the random choices of all protocols, unless they are repeated."""


class SplitProtocol(ABC):
    """Base class of the protocols: their requirements, with defaults, and the assignment of folds."""

    __slots__ = ()

    @property
    def min_groups(self) -> int:
        """Return the least number of groups."""
        return 2

    @property
    def min_clips(self) -> int:
        """Return the least number of clips of the most frequent class."""
        return 0

    @property
    def leaky(self) -> bool:
        """Return whether groups are on both sides on purpose."""
        return False

    @property
    def user_defined(self) -> bool:
        """Return whether the folds are the user's: then a leak is an error, not a reason for other groups."""
        return False

    def take(self, rows: npt.NDArray[np.bool_]) -> "SplitProtocol":
        """Return the protocol of a part of the clips; `rows` has shape=(n_clips,)."""
        return self

    @abstractmethod
    def folds(self, y: Labels, groups: Labels) -> Labels:
        """Return the fold of every clip, shape=(n_clips,)."""


@dataclass(frozen=True, slots=True)
class CrossValidation(SplitProtocol):
    """Cross-validation with K folds, stratified by class; every fold is tested once.

    The default: it tests every clip, so scores have the smallest intervals.

    Parameters
    ----------
    n_folds : int
        Number of folds, 2 or more.
    seed : int
        Seed of the assignment of groups to folds.

    See Also
    --------
    sklearn.model_selection.StratifiedGroupKFold

    Examples
    --------
    >>> y = np.array(["f", "f", "m", "m", "f", "f", "m", "m"])
    >>> speakers = np.array(["a", "a", "b", "b", "c", "c", "d", "d"])
    >>> CrossValidation(2).folds(y, speakers).tolist()
    ['1', '1', '0', '0', '0', '0', '1', '1']
    """

    n_folds: int = N_FOLDS
    seed: int = SEED

    @property
    def min_groups(self) -> int:
        """Return the number of folds."""
        return self.n_folds

    @property
    def min_clips(self) -> int:
        """Return the number of folds."""
        return self.n_folds

    def folds(self, y: Labels, groups: Labels) -> Labels:
        """Return the folds ``0`` to ``K - 1``."""
        return _stratify(y, groups, self.n_folds, self.seed)


@dataclass(frozen=True, slots=True)
class LeaveOneGroupOut(SplitProtocol):
    """Every group is a fold, tested once.

    Use it for data with few groups, such as a dozen of speakers: training sets are as large as possible. It
    takes one fit per group.

    See Also
    --------
    sklearn.model_selection.LeaveOneGroupOut

    Examples
    --------
    >>> y, speakers = np.array(["f", "m", "f", "m"]), np.array(["a", "b", "c", "c"])
    >>> LeaveOneGroupOut().folds(y, speakers).tolist()
    ['group a', 'group b', 'group c', 'group c']
    """

    def folds(self, y: Labels, groups: Labels) -> Labels:
        """Return ``group NAME`` for every clip, since the name of a group may be ``train`` or ``dev``."""
        return np.array([f"group {name}" for name in groups])


@dataclass(frozen=True, slots=True)
class HoldOut(SplitProtocol):
    """A share of the clips, stratified by class, is tested once.

    Use it for large data or slow heads: it takes a single fit, but intervals are wider.

    Parameters
    ----------
    share : Fraction
        Share of the test clips, a fraction with a denominator of at most 20.
    seed : int
        Seed of the assignment of groups to folds.

    See Also
    --------
    sklearn.model_selection.GroupShuffleSplit

    Examples
    --------
    >>> y, speakers = np.array(["f", "m"] * 4), np.array(list("abcdefgh"))
    >>> HoldOut(Fraction(1, 4)).folds(y, speakers).tolist()
    ['train', 'train', 'train', 'test', 'train', 'train', 'test', 'train']
    """

    share: Fraction = Fraction(1, 5)
    seed: int = SEED

    @property
    def min_groups(self) -> int:
        """Return the denominator of the share."""
        return self.share.denominator

    @property
    def min_clips(self) -> int:
        """Return the denominator of the share."""
        return self.share.denominator

    def folds(self, y: Labels, groups: Labels) -> Labels:
        """Return the folds ``train`` and ``test``."""
        tested = [str(number) for number in range(self.share.numerator)]
        folds = _stratify(y, groups, self.share.denominator, self.seed)
        return np.where(np.isin(folds, tested), "test", "train")


@dataclass(frozen=True, slots=True, eq=False)
class ListedFolds(SplitProtocol):
    """Folds from a list: a column of the dataset, a fixed split of a card, or a CSV file.

    Use it to compare with published results, or to keep a split; `splits.listing` makes such a list.

    Parameters
    ----------
    fold : Labels
        Fold of every clip, shape=(n_clips,): words for train, dev and test, or other names for
        cross-validation.
    source : str
        Source of the list, for messages.

    See Also
    --------
    sklearn.model_selection.PredefinedSplit

    Examples
    --------
    >>> y, speakers = np.array(["f", "m", "f", "m"]), np.array(list("abcd"))
    >>> ListedFolds(np.array(["train", "Train", "test", "validation"])).folds(y, speakers).tolist()
    ['train', 'train', 'test', 'dev']
    """

    fold: Labels
    source: str = "fold"

    @property
    def user_defined(self) -> bool:
        """Return True."""
        return True

    def take(self, rows: npt.NDArray[np.bool_]) -> "ListedFolds":
        """Return the list of a part of the clips."""
        return replace(self, fold=self.fold[rows])

    def folds(self, y: Labels, groups: Labels) -> Labels:
        """Return the listed folds, with one name for every side of a split."""
        return canonical(self.fold, self.source)


@dataclass(frozen=True, slots=True)
class RandomFolds(SplitProtocol):
    """Cross-validation that ignores groups: a leak, on purpose.

    Use it only to measure the effect of a leak; every table marks such scores.

    See Also
    --------
    sklearn.model_selection.StratifiedKFold

    Examples
    --------
    >>> y, speakers = np.array(["f", "m"] * 5), np.array(["a", "b"] * 5)
    >>> RandomFolds().folds(y, speakers).tolist()
    ['2', '0', '0', '2', '1', '1', '3', '4', '4', '3']
    """

    n_folds: int = N_FOLDS
    seed: int = SEED

    @property
    def min_groups(self) -> int:
        """Return 0: groups are ignored."""
        return 0

    @property
    def min_clips(self) -> int:
        """Return the number of folds."""
        return self.n_folds

    @property
    def leaky(self) -> bool:
        """Return True."""
        return True

    def folds(self, y: Labels, groups: Labels) -> Labels:
        """Return the folds ``0`` to ``K - 1``."""
        return _stratify(y, None, self.n_folds, self.seed)


def _stratify(y: Labels, groups: Labels | None, n_folds: int, seed: int) -> Labels:
    """Return stratified folds ``0`` to ``n_folds - 1``; without groups, of single clips."""
    if groups is not None and seed != SEED:
        return _deal(y, groups, n_folds, seed)
    fold = np.empty(len(y), dtype=object)
    splitter = (StratifiedKFold if groups is None else StratifiedGroupKFold)(
        n_folds, shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        # A class with fewer clips than folds is stratified as far as possible.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        codes = None if groups is None else pd.factorize(groups, sort=True)[0]
        classes = pd.factorize(y, sort=True)[0]
        for number, (_, test) in enumerate(splitter.split(classes, classes, codes)):
            fold[test] = str(number)
    return fold.astype(str)


def _deal(y: Labels, groups: Labels, n_folds: int, seed: int) -> Labels:
    """Return stratified folds ``0`` to ``n_folds - 1`` that another seed changes.

    `StratifiedGroupKFold` moves only groups that are equal in size and classes. Here the groups stand in the
    order of their most frequent class and their size, and each `n_folds` neighbours are dealt to the folds.
    """
    rng = np.random.default_rng(seed)
    codes = pd.factorize(groups, sort=True)[0]
    counts = pd.crosstab(codes, y).to_numpy()
    n_groups = len(counts)
    order = np.lexsort((rng.permutation(n_groups), counts.sum(axis=1), counts.argmax(axis=1)))
    hands = [rng.permutation(n_folds) for _ in range(0, n_groups, n_folds)]
    fold = np.empty(n_groups, dtype=int)
    fold[order] = np.concatenate(hands)[:n_groups]
    return fold[codes].astype(str)
