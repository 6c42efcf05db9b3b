"""What groups of clips say about a score: its variance over groups, and how many groups that rests on.

Conventions: `codes` holds the group of every clip as a number from 0, shape=(n_clips,).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bench.metrics import Floats, Metric, Predicted
from bench.metrics.base import Codes
from bench.stats.intervals import N_DRAWS, scorer

LEAST_DF = 0.5
"""Degrees of freedom of a class of a single group, whose variance nothing shows."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassGroups:
    """Clips of every pair of a group and a class that has some; each shape=(n_pairs,).

    Parameters
    ----------
    group, label : Codes
        The group, and the class as a number from 0 among the classes of the labels.
    clips, right : Floats
        Number of its clips, and of those with the right prediction.
    """

    group: Codes
    label: Codes
    clips: Floats
    right: Floats

    @classmethod
    def of(cls, p: Predicted, codes: Codes) -> Self:
        """Return the pairs of predictions."""
        present, true = np.unique(p.codes[0], return_inverse=True)
        pairs, clip_pair = np.unique(codes * len(present) + true, return_inverse=True)
        return cls(
            group=pairs // len(present),
            label=pairs % len(present),
            clips=np.bincount(clip_pair).astype(np.float64),
            right=np.bincount(clip_pair, p.y_pred == p.y_true).astype(np.float64),
        )

    @property
    def share(self) -> Floats:
        """Return the share of the clips of the class that are of the group."""
        return np.asarray(self.clips / np.bincount(self.label, self.clips)[self.label])

    @property
    def df(self) -> Floats:
        """Return the degrees of freedom of every class: its effective number of groups minus 1."""
        return np.maximum(1 / np.bincount(self.label, self.share**2) - 1, LEAST_DF)


def kish(sizes: npt.NDArray[Any]) -> float:
    """Return the number of groups of equal size that say as much as groups of these sizes.

    Examples
    --------
    >>> kish(np.array([20, 20, 20, 20])), round(kish(np.array([200, 20, 20, 20])), 2)
    (4.0, 1.64)

    References
    ----------
    Kish, "Survey sampling", 1965.
    """
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def effective_groups(metric: Metric, p: Predicted, codes: Codes) -> float:
    """Return the number of groups of equal size that say as much about a metric.

    For a mean over clips that is Kish's number. For a mean over classes it is Kish's number for the groups'
    mean shares in the classes, but at most Satterthwaite's degrees of freedom plus 1, if the variance of a
    class is one over its own number: a class of two groups makes the score as uncertain as two groups are.

    References
    ----------
    Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin,
    1946.
    """
    if metric.over == "clips":
        return kish(np.bincount(codes))
    pairs = ClassGroups.of(p, codes)
    variance = np.bincount(pairs.label, pairs.share**2)
    df = variance.sum() ** 2 / (variance**2 / pairs.df).sum()
    return min(kish(np.bincount(pairs.group, pairs.share)), 1 + float(df))


def variance(metric: Metric, p: Predicted, codes: Codes) -> float:
    """Return the variance of a metric over samples of groups, by the delete-a-group jackknife.

    Where every group is of one class, it is stratified: the number of groups of each class stays as it is.
    Above `N_DRAWS` groups, as many random blocks of groups are deleted.

    References
    ----------
    Efron and Stein, "The jackknife estimate of variance", The Annals of Statistics, 1981. Kott, "The
    delete-a-group jackknife", Journal of Official Statistics 17, 2001 (strata and blocks).
    """
    codes, stratum = _blocks(codes, _strata(p, codes))
    n_groups = len(stratum)
    values_of, block = scorer(metric, p, codes, n_groups)
    starts = range(0, n_groups, block)
    weights = (1 - np.eye(min(block, n_groups - start), n_groups, start) for start in starts)
    values = np.concatenate([values_of(weight) for weight in weights])
    sizes = np.bincount(stratum)
    means = np.bincount(stratum, values) / sizes
    return float(((values - means[stratum]) ** 2 * (1 - 1 / sizes)[stratum]).sum())


def _strata(p: Predicted, codes: Codes) -> Codes:
    """Return the class of every group as a number; 0 for all if a group has two, or a class one group."""
    true = np.unique(p.codes[0], return_inverse=True)[1]
    stratum = np.zeros(codes.max() + 1, np.intp)
    stratum[codes] = true
    is_nested = np.array_equal(stratum[codes], true) and np.bincount(stratum).min() > 1
    return stratum if is_nested else np.zeros_like(stratum)


def _blocks(codes: Codes, stratum: Codes) -> tuple[Codes, Codes]:
    """Return the block of every clip, and the stratum of every block, of at most `N_DRAWS` blocks."""
    n_groups = len(stratum)
    if n_groups <= N_DRAWS:
        return codes, stratum
    shuffled = np.random.default_rng(0).permutation(n_groups)
    order = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    block = np.empty(n_groups, np.intp)
    block[order] = np.arange(n_groups) * N_DRAWS // n_groups
    first = np.searchsorted(block[order], np.arange(N_DRAWS))
    of_block = np.unique(stratum[order[first]], return_inverse=True)[1]
    alone = np.bincount(of_block).min() < 2
    return block[codes], np.zeros_like(of_block) if alone else of_block
