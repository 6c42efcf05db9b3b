"""Criteria for a number of clusters, and the same criteria of structureless data.

References
----------
Tibshirani, Walther and Hastie, "Estimating the number of clusters in a data set via the gap statistic",
Journal of the Royal Statistical Society B 63, 2001. Lange, Roth, Braun and Buhmann, "Stability-based
validation of clustering solutions", Neural Computation 16, 2004. Kimes, Liu, Hayes and Marron, "Statistical
significance for hierarchical clustering", Biometrics 73, 2017 (tests of splits). Steinley, "Properties of the
Hubert-Arabie adjusted Rand index", Psychological Methods 9, 2004.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from bench.exploration.partitions import (
    adjusted_rand,
    bics,
    centres,
    nearest,
    nulls,
    partitions,
    silhouettes,
)
from bench.exploration.space import CLIPS_PER_COMPONENT
from bench.metrics import Floats

N_NULLS = 20
"""Number of draws of structureless data for the silhouette."""

N_SLOW_NULLS = 5
"""Number of these draws for the criteria that take longer."""

N_SPLITS = 10
"""Number of times that clips are split into halves."""

LEVEL = 0.01
"""p-value below which the silhouette is higher than that of structureless data."""

SPLIT_LEVEL = 0.05
"""p-value below which a cluster is split further."""

AGREEMENT = (0.9, 0.8)
"""Adjusted Rand indices from which partitions agree excellently, and well (Steinley)."""

RANGE = (0.05, 0.95)
"""Quantiles of the numbers that halves of the clips choose, which are in the range of the number."""

NONE = np.zeros(0)
"""No values of structureless data."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """A criterion of every number of clusters; each array has shape=(n_numbers,).

    Parameters
    ----------
    values : np.ndarray
        The criterion of the data; NaN where it is not defined.
    null_mean, null_sd : np.ndarray
        Mean and standard deviation of the criterion of structureless data; empty where it is not compared.
    best : int
        The number of clusters that the criterion chooses.
    """

    values: npt.NDArray[np.float64]
    null_mean: npt.NDArray[np.float64]
    null_sd: npt.NDArray[np.float64]
    best: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Criteria:
    """Curves of criteria over the number of clusters, and their comparison with structureless data.

    Parameters
    ----------
    numbers : np.ndarray
        Numbers of clusters, from 1, shape=(n_numbers,).
    curves : Mapping[str, Curve]
        ``silhouette``: mean silhouette, in [-1, 1], higher is better; ``stability``: mean adjusted Rand index
        of the partitions of two halves of the clips, in [-0.5, 1], higher is better; ``bic`` and
        ``bic_full``: BIC of diagonal and of full Gaussians, in nats, lower is better.
    p : float | None
        p-value of "no number of clusters has a higher silhouette than structureless data have"; None if they
        were not compared.
    bic_gain, null_bic_gain : float | None
        Largest fall of the BIC from one Gaussian to several, of the data, and of any draw of structureless
        data, in nats.
    number : int | None
        Number of clusters whose silhouette exceeds that of structureless data most, among those on which
        halves of the clips agree; None without one.
    halves : np.ndarray
        Silhouette in each half of the clips, shape=(n_halves, n_numbers); empty if there are none.
    splits : Mapping[int, float]
        Number of clusters -> p-value of "the cluster that is split to get that many has no structure", for
        `number` plus 1, and so on up to the first that is not significant.
    """

    numbers: npt.NDArray[np.int64]
    curves: Mapping[str, Curve]
    p: float | None = None
    bic_gain: float | None = None
    null_bic_gain: float | None = None
    number: int | None = None
    halves: npt.NDArray[np.float64]
    splits: Mapping[int, float]


def split_halves(scores: Floats, numbers: Sequence[int], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return what two random halves of the clips say about every number of clusters.

    Returns
    -------
    tuple[Floats, Floats]
        The adjusted Rand index of the partitions of the halves, of which each is extended to all clips by
        the nearest centre, shape=(n_numbers,); and the silhouettes of each half, shape=(2, n_numbers).
    """
    order = rng.permutation(len(scores))
    halves = [scores[np.sort(half)] for half in np.array_split(order, 2)]
    cuts = [partitions(half, numbers) for half in halves]
    extended = [
        [nearest(scores, centres(half, cut)) for cut in of_half]
        for half, of_half in zip(halves, cuts, strict=True)
    ]
    rand = np.array([adjusted_rand(first, second) for first, second in zip(*extended, strict=True)])
    return rand, np.stack([silhouettes(half, of_half) for half, of_half in zip(halves, cuts, strict=True)])


def silhouette_curve(scores: Floats, numbers: Sequence[int], seed: int = 0) -> Curve:
    """Return the silhouettes of scores, and those of structureless data.

    The number is the one with the largest excess over structureless data.
    """
    draws = nulls(scores, seed, N_NULLS)
    of_nulls = np.stack([silhouettes(null, partitions(null, numbers)) for null in draws])
    values = silhouettes(scores, partitions(scores, numbers))
    return _curve(numbers, values, of_nulls, values - of_nulls.mean(axis=0))


def p_value(silhouette: Curve) -> float:
    """Return the p-value of the largest excess of a silhouette over structureless data, in [0, 1].

    Each number of clusters above 1 gives a prediction test: whether the data are one more draw of the same
    normal distribution as the draws of structureless data. The smallest p-value is multiplied with the number
    of tests (Bonferroni).
    """
    excess, sd = (array[1:] for array in (silhouette.values - silhouette.null_mean, silhouette.null_sd))
    t = np.divide(excess, sd * np.sqrt(1 + 1 / N_NULLS), out=np.zeros_like(sd), where=sd > 0)
    return min(1.0, float(len(t) * stats.t.sf(t.max(), N_NULLS - 1)))


def bic_curves(scores: Floats, numbers: Sequence[int]) -> Criteria:
    """Return the BIC of diagonal and of full Gaussians, which choose their lowest."""
    cuts = partitions(scores, numbers)
    values = {name: bics(scores, cuts, covariance) for name, covariance in COVARIANCES.items()}
    curves = {name: _curve(numbers, bic, None, -bic) for name, bic in values.items()}
    return Criteria(numbers=np.array(numbers), curves=curves, halves=np.zeros((0, len(numbers))), splits={})


COVARIANCES: Mapping[str, str] = {"bic": "diag", "bic_full": "full"}
"""Curve -> covariance of its Gaussians."""


def compare(scores: Floats, numbers: Sequence[int], seed: int = 0) -> Criteria:
    """Return the silhouette, the stability and the BIC of numbers of clusters, and of structureless data.

    Parameters
    ----------
    numbers : Sequence[int]
        1, and larger ones.
    """
    rng = np.random.default_rng([seed, 1])
    silhouette = silhouette_curve(scores, numbers, seed)
    halves = [split_halves(scores, numbers, rng) for _ in range(N_SPLITS)]
    draws = nulls(scores, seed, N_SLOW_NULLS)
    rand = np.mean([rand for rand, _ in halves], axis=0)
    number = stable_number(silhouette.values - silhouette.null_mean, rand)
    null_rand = np.stack([split_halves(null, numbers, rng)[0] for null in draws])
    bic, *of_nulls = (bics(table, partitions(table, numbers)) for table in (scores, *draws))
    null_bic = np.stack(of_nulls)
    return Criteria(
        numbers=np.array(numbers),
        curves={
            "silhouette": silhouette,
            "stability": _curve(numbers, rand, null_rand, rand - null_rand.mean(axis=0)),
            "bic": _curve(numbers, bic, null_bic, -bic),
        },
        p=p_value(silhouette),
        bic_gain=float(bic[0] - bic.min()),
        null_bic_gain=float((null_bic[:, 0] - null_bic.min(axis=1)).max()),
        halves=np.concatenate([values for _, values in halves]),
        number=number,
        splits=split_tests(scores, number, numbers[-1], seed) if number else {},
    )


def split_tests(scores: Floats, number: int, largest: int, seed: int = 0) -> dict[int, float]:
    """Return the p-values of further splits, up to the first that is not significant.

    The cluster that Ward's tree splits next has a silhouette of its two parts, and draws of structureless
    data of the cluster's covariance have one too.
    """
    p_values: dict[int, float] = {}
    [cut, *further] = partitions(scores, range(number, largest + 1))
    for size, finer in enumerate(further, start=number + 1):
        parts = [np.unique(finer[cut == cluster]).size for cluster in range(int(cut.max()) + 1)]
        p_values[size] = _split_p(scores[cut == int(np.argmax(parts))], seed)
        if p_values[size] > SPLIT_LEVEL:
            break
        cut = finer
    return p_values


def _split_p(scores: Floats, seed: int) -> float:
    """Return the p-value of the silhouette of two clusters within the clips of one; 1 for few clips."""
    if len(scores) < 2 * CLIPS_PER_COMPONENT:
        return 1.0
    left, singular, _ = np.linalg.svd(scores - scores.mean(axis=0), full_matrices=False)
    n_components = min(len(scores) // CLIPS_PER_COMPONENT, int((singular > 1e-9 * singular[0]).sum()))
    if not n_components:  # all clips are equal
        return 1.0
    return p_value(silhouette_curve((left * singular)[:, :n_components], [1, 2], seed))


def is_stable(rand: Floats) -> npt.NDArray[np.bool_]:
    """Return the numbers, from 1, on which halves of the clips agree excellently; if there is none, well.

    One cluster is none of them, since all halves agree on it.

    Parameters
    ----------
    rand : Floats
        Adjusted Rand index of the halves, shape=(n_numbers,).
    """
    enough = [np.where(np.arange(len(rand)) > 0, rand >= level, False) for level in AGREEMENT]
    return next((numbers for numbers in enough if numbers.any()), enough[-1])


def stable_number(excess: Floats, rand: Floats) -> int | None:
    """Return the number, from 1, with the largest excess among those on which halves agree.

    It is None without one, or if the silhouette of none of them exceeds that of structureless data.

    Parameters
    ----------
    excess : Floats
        Silhouette beyond that of structureless data, shape=(n_numbers,).
    rand : Floats
        Adjusted Rand index of the halves, shape=(n_numbers,).
    """
    merits = np.where(is_stable(rand), excess, -np.inf)
    return int(merits.argmax()) + 1 if merits.max() > 0 else None


def verdict(criteria: Criteria) -> int | None:
    """Return the number of clusters on which the criteria of ``auto`` agree; None for no clusters.

    There are none if the silhouette does not exceed that of structureless data significantly, if halves of
    the clips do not give the same clusters, or if the BIC falls no more than in structureless data.
    """
    is_significant = criteria.p is not None and criteria.p <= LEVEL
    is_better = (criteria.bic_gain or 0.0) > (criteria.null_bic_gain or 0.0)
    return extended_number(criteria) if is_significant and is_better else None


def extended_number(criteria: Criteria) -> int | None:
    """Return the number of the silhouette, or a larger one that is as good within its error.

    The silhouette hardly falls if two clusters among many are merged. A larger number is as good if halves
    agree on it, if all splits up to it are significant, and if its silhouette is lower by at most two
    standard errors of the difference. The spread over halves of the clips is the standard error of all.
    """
    if criteria.number is None:
        return None
    curve, start = criteria.curves["silhouette"], criteria.number - 1
    excess = curve.values - curve.null_mean
    errors = (criteria.halves[:, [start]] - criteria.halves).std(axis=0, ddof=1)
    is_equal = is_stable(criteria.curves["stability"].values) & (excess[start] - excess <= 2 * errors)
    splits = [number for number, p in criteria.splits.items() if p <= SPLIT_LEVEL]
    return max([number for number in splits if is_equal[number - 1]], default=criteria.number)


def number_range(criteria: Criteria) -> tuple[int, int]:
    """Return the range of the numbers that halves of the clips, all clips and the BIC choose."""
    excess = criteria.halves - criteria.curves["silhouette"].null_mean
    excess[:, ~is_stable(criteria.curves["stability"].values)] = -np.inf
    low, high = np.quantile(criteria.numbers[excess.argmax(axis=1)], RANGE)
    numbers = [criteria.number or 1, extended_number(criteria) or 1, criteria.curves["bic"].best]
    return max(2, min(int(np.floor(low)), *numbers)), max(int(np.ceil(high)), *numbers)


def _curve(numbers: Sequence[int], values: Floats, of_nulls: Floats | None, merit: Floats) -> Curve:
    """Return a curve whose best number has the highest merit."""
    return Curve(
        values=values,
        null_mean=NONE if of_nulls is None else of_nulls.mean(axis=0),
        null_sd=NONE if of_nulls is None else of_nulls.std(axis=0, ddof=1),
        best=numbers[int(np.nanargmax(merit))],
    )
