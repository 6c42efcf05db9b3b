"""Criteria for a number of clusters, and the same criteria of structureless data.

Conventions: `scores` are principal components, shape=(n_clips, n_components); a partition is the cluster of
every clip as a number from 0, shape=(n_clips,). Partitions are cuts of Ward's tree, which needs no seed, and
of which one fit gives every number of clusters.

Structureless data are an elliptical distribution with the covariance of the data and with their own distances
from the mean, in random directions: a Gaussian where the data are Gaussian, heavy-tailed where they are.

References
----------
Tibshirani, Walther and Hastie, "Estimating the number of clusters in a data set via the gap statistic",
Journal of the Royal Statistical Society B 63, 2001. Rousseeuw, "Silhouettes", Journal of Computational and
Applied Mathematics 20, 1987. Hubert and Arabie, "Comparing partitions", Journal of Classification 2, 1985.
Lange, Roth, Braun and Buhmann, "Stability-based validation of clustering
solutions", Neural Computation 16, 2004. Schwarz, "Estimating the dimension of a model", The Annals of
Statistics 6, 1978.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn import config_context
from sklearn.mixture import GaussianMixture

from bench.exploration.space import Indices
from bench.metrics import Floats

N_NULLS = 20
"""Number of draws of structureless data for the silhouette."""

N_SLOW_NULLS = 5
"""Number of these draws for the criteria that take longer."""

N_SPLITS = 10
"""Number of times that clips are split into halves."""

REG_COVAR = 1e-3
"""Smallest variance of a Gaussian in a component; the mean variance of the components is 1."""

NONE = np.zeros(0)
"""No values of structureless data."""

QUIET = {"assume_finite": True, "skip_parameter_validation": True}
"""Settings of scikit-learn for many calls with small arrays."""


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
    halves : np.ndarray
        The number that the silhouette chooses in each half, shape=(n_halves,).
    """

    numbers: npt.NDArray[np.int64]
    curves: Mapping[str, Curve]
    p: float | None = None
    bic_gain: float | None = None
    null_bic_gain: float | None = None
    halves: npt.NDArray[np.int64]


def structureless(scores: Floats, rng: np.random.Generator) -> Floats:
    """Return a draw of an elliptical distribution like some scores, of the same shape.

    The components keep their variances. The distance of every clip from the mean, in standard deviations of
    the components, stays, and its direction is drawn at random.
    """
    sd = scores.std(axis=0)
    radii = np.linalg.norm(scores / sd, axis=1)
    directions = rng.standard_normal(scores.shape)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.asarray(directions * rng.permutation(radii)[:, None] * sd)


def partitions(scores: Floats, numbers: Sequence[int]) -> list[Indices]:
    """Return the cuts of Ward's tree into numbers of clusters."""
    tree = linkage(scores, "ward")
    return [fcluster(tree, number, "maxclust").astype(np.int64) - 1 for number in numbers]


def silhouettes(scores: Floats, cuts: Sequence[Indices]) -> Floats:
    """Return the mean silhouette of every partition, as scikit-learn's `silhouette_score`.

    The distances of clips are computed once for all partitions. A partition of one cluster has 0.
    """
    distances = squareform(pdist(scores))
    return np.array([_silhouette(distances, cut) for cut in cuts])


def _silhouette(distances: Floats, cut: Indices) -> float:
    clips, sizes = np.arange(len(cut)), np.bincount(cut)
    if len(sizes) < 2:
        return 0.0
    sums = distances @ np.eye(len(sizes))[cut]
    within = sums[clips, cut] / np.maximum(sizes[cut] - 1, 1)
    means = sums / sizes
    means[clips, cut] = np.inf
    between = means.min(axis=1)
    largest = np.maximum(within, between)
    values = np.divide(between - within, largest, out=np.zeros(len(cut)), where=largest > 0)
    return float(np.where(sizes[cut] > 1, values, 0.0).mean())


def centres(scores: Floats, cut: Indices) -> Floats:
    """Return the mean of every cluster, shape=(n_clusters, n_components)."""
    members = np.eye(int(cut.max()) + 1)[cut]
    return np.asarray(members.T @ scores / members.sum(axis=0)[:, None])


def nearest(scores: Floats, means: Floats) -> Indices:
    """Return the number of the nearest centre of every clip."""
    return cdist(scores, means).argmin(axis=1)


def mixture(scores: Floats, cut: Indices, covariance: str = "diag") -> GaussianMixture:
    """Return Gaussians that are fitted to scores, from a partition on.

    Parameters
    ----------
    covariance : str
        ``diag`` or ``full``.
    """
    shares = np.bincount(cut) / len(cut)
    variances = centres(np.square(scores - centres(scores, cut)[cut]), cut) + REG_COVAR
    precisions = 1 / variances if covariance == "diag" else np.stack([np.diag(1 / row) for row in variances])
    gaussians = GaussianMixture(
        len(shares),
        covariance_type=covariance,
        reg_covar=REG_COVAR,
        weights_init=shares,
        means_init=centres(scores, cut),
        precisions_init=precisions,
        random_state=0,
        max_iter=200,
    )
    return gaussians.fit(scores)


def bics(scores: Floats, cuts: Sequence[Indices], covariance: str = "diag") -> Floats:
    """Return the BIC of Gaussians from every partition on, by scikit-learn's `GaussianMixture.bic`.

    It is NaN for full covariances if clusters have fewer clips, on average, than there are components.
    """
    n_clips, n_components = scores.shape
    with config_context(**QUIET):
        return np.array(
            [
                mixture(scores, cut, covariance).bic(scores)
                if covariance == "diag" or (int(cut.max()) + 1) * n_components <= n_clips
                else np.nan
                for cut in cuts
            ]
        )


def adjusted_rand(first: Indices, second: Indices) -> float:
    """Return the adjusted Rand index of two partitions, in a tenth of the time of scikit-learn's."""
    n_second = int(second.max()) + 1
    table = np.bincount(first * n_second + second, minlength=(int(first.max()) + 1) * n_second)
    table = table.reshape(-1, n_second).astype(np.float64)
    both = np.square(table).sum() - len(first)
    in_first, in_second = (np.square(table.sum(axis=axis)).sum() - len(first) for axis in (1, 0))
    chance = in_first * in_second / (len(first) * (len(first) - 1))
    largest = (in_first + in_second) / 2
    return 1.0 if largest == chance else float((both - chance) / (largest - chance))


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


def nulls(scores: Floats, seed: int, n_draws: int) -> list[Floats]:
    """Return the first draws of structureless data of a seed."""
    rng = np.random.default_rng([seed, 0])
    return [structureless(scores, rng) for _ in range(n_draws)]


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
    return Criteria(numbers=np.array(numbers), curves=curves, halves=np.zeros(0, np.int64))


COVARIANCES: Mapping[str, str] = {"bic": "diag", "bic_full": "full"}
"""Curve -> covariance of its Gaussians."""


def criteria(scores: Floats, numbers: Sequence[int], seed: int = 0) -> Criteria:
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
    null_rand = np.stack([split_halves(null, numbers, rng)[0] for null in draws])
    bic, *of_nulls = (bics(table, partitions(table, numbers)) for table in (scores, *draws))
    null_bic = np.stack(of_nulls)
    excess = np.concatenate([values for _, values in halves]) - silhouette.null_mean
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
        halves=np.array(numbers)[excess.argmax(axis=1)],
    )


def _curve(numbers: Sequence[int], values: Floats, of_nulls: Floats | None, merit: Floats) -> Curve:
    """Return a curve whose best number has the highest merit."""
    return Curve(
        values=values,
        null_mean=NONE if of_nulls is None else of_nulls.mean(axis=0),
        null_sd=NONE if of_nulls is None else of_nulls.std(axis=0, ddof=1),
        best=numbers[int(np.nanargmax(merit))],
    )
