"""Familiarity: how far a clip's embedding is from those of the training clips."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.stats import t as students_t

from bench.calibration.held_out import group_parts, group_weights
from bench.errors import UsageError
from bench.metrics import Floats
from bench.metrics.base import Codes
from bench.types import Labels

FALSE_ALARMS = 0.05
"""Share of clips of unheard groups whose distance exceeds the limit."""

MOST_REFERENCES = 2000
"""Largest number of training clips that a clip is compared with; a random part of more."""

N_NEIGHBOURS = 5
"""Number of nearest training clips whose mean distance counts, as in the head `knn`."""

MOST_DEVIATIONS = 5.0
"""Largest value of a standardised dimension: one that hardly varies in training must not decide alone."""

N_PARTS = 10
"""Number of parts of the groups; the distance of each is to the others."""

MIN_GROUPS = 3
"""Fewest groups for a limit."""

LEAST_LIMIT = 1e-9
"""Smallest limit: that of clips that are all copies is 0, by which nothing is divided."""


@dataclass(frozen=True, slots=True, eq=False)
class Familiarity:
    """Distance of embeddings to the training clips, and its limit.

    A distance is the mean Euclidean distance to the nearest training clips, over dimensions that are
    standardised by the training clips.

    Parameters
    ----------
    centre, scale : np.ndarray, shape=(dim,)
        Mean and standard deviation of every dimension; infinite for a constant one, which does not count.
    references : np.ndarray, shape=(n_references, dim), dtype=float32
        Standardised training clips.
    limit : float
        Distance that 5 % of clips of unheard groups exceed.
    n_groups : int
        Number of groups of the training clips.

    References
    ----------
    Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022 (distance). Lee, Barber
    and Willett, "Distribution-free inference with hierarchical data", 2023 (limit).
    """

    centre: Floats
    scale: Floats
    references: npt.NDArray[np.float32]
    limit: float
    n_groups: int

    @classmethod
    def fit(cls, vectors: npt.NDArray[Any], groups: Labels, seed: int = 0) -> Self | None:
        """Return the familiarity of training clips.

        The limit comes from distances of the clips of a part of the groups to those of the other groups, by
        which the dimensions are standardised as well: a group that was part of the mean and the deviation
        looks nearer than an unheard one.

        Parameters
        ----------
        vectors : np.ndarray, shape=(n_clips, dim)
            Embeddings before any step that was fitted to them.
        groups : Labels, shape=(n_clips,)
        seed : int
            Seed of the parts of the groups, and of the training clips to compare with if there are many.

        Returns
        -------
        Familiarity | None
            None with fewer than `MIN_GROUPS` groups.

        Raises
        ------
        UsageError
            If a vector is not finite.
        """
        _refuse_not_finite(vectors)
        clips = np.arange(len(vectors))
        if len(clips) > MOST_REFERENCES:
            clips = np.sort(np.random.default_rng(seed).choice(clips, MOST_REFERENCES, replace=False))
        X = np.asarray(vectors, np.float64)[clips]
        group = np.unique(np.asarray(groups)[clips], return_inverse=True)[1]
        n_groups = int(group.max()) + 1 if len(group) else 0
        if n_groups < MIN_GROUPS:
            return None
        distances = np.empty(len(X))
        for part in group_parts(group, N_PARTS, seed):
            others = cls._of(X[~part], n_groups)
            distances[part] = others.distances(X[part])
        whole = cls._of(X, n_groups)
        limit = max(limit_of(distances, group), LEAST_LIMIT)
        return cls(whole.centre, whole.scale, whole.references, limit, n_groups)

    @classmethod
    def _of(cls, X: Floats, n_groups: int) -> Self:
        """Return the familiarity of clips without a limit."""
        centre, scale = X.mean(axis=0), X.std(axis=0)
        varies = scale > np.finfo(np.float32).eps * np.abs(centre)
        scale = np.where(varies, scale, np.inf)
        return cls(centre, scale, _standardised(X, centre, scale), np.inf, n_groups)

    def distances(self, vectors: npt.NDArray[Any]) -> Floats:
        """Return the distance of every vector to its nearest training clips, shape=(n_clips,).

        The distance of a vector does not depend on the others.
        """
        _refuse_not_finite(vectors)
        X = _standardised(np.asarray(vectors, np.float64), self.centre, self.scale)
        between = cdist(X.astype(np.float64), self.references.astype(np.float64))
        n = min(N_NEIGHBOURS, between.shape[1])
        return np.asarray(np.sort(np.partition(between, n - 1, axis=1)[:, :n], axis=1).mean(axis=1))

    def score(self, vectors: npt.NDArray[Any]) -> Floats:
        """Return the distance of every vector divided by the limit, shape=(n_clips,); above 1 is unfamiliar.

        Parameters
        ----------
        vectors : np.ndarray, shape=(n_clips, dim)

        Raises
        ------
        UsageError
            If a vector is not finite.
        """
        return self.distances(vectors) / self.limit

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all values as arrays by their names, to be stored."""
        return {
            "centre": self.centre,
            "scale": self.scale,
            "references": self.references,
            "limit": np.array(self.limit),
            "n_groups": np.array(self.n_groups),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return what `arrays` gave.

        Raises
        ------
        KeyError, ValueError
            If an array is missing, or does not fit the others.
        """
        references = np.asarray(arrays["references"], np.float32)
        if not arrays["centre"].shape == arrays["scale"].shape == references.shape[1:]:
            raise ValueError("centre, scale and references differ in their number of dimensions")
        limit, n_groups = float(arrays["limit"]), int(arrays["n_groups"])
        return cls(arrays["centre"], arrays["scale"], references, limit, n_groups)


def limit_of(distances: Floats, group: Codes) -> float:
    """Return the distance that `FALSE_ALARMS` of the clips of unheard groups exceed, in expectation.

    With enough groups it is a conformal quantile, every group having the same weight and an unheard group one
    more, at infinity. With fewer that would be infinite: the logarithms of distances are taken as normal,
    with a variance between groups and one within them, and the limit is the one-sided prediction limit of
    Student's t, with one degree of freedom less than groups, but no less than the largest distance.

    Parameters
    ----------
    distances : np.ndarray, shape=(n_clips,)
        Of every clip to the clips of other groups.
    group : np.ndarray, shape=(n_clips,)
        Group of every clip, as a number from 0 without gaps.

    References
    ----------
    Lee, Barber and Willett, "Distribution-free inference with hierarchical data", 2023. Hahn and Meeker,
    "Statistical intervals", 1991 (prediction limits).
    """
    n_groups = int(group.max()) + 1
    weights = group_weights(group)
    order = np.argsort(distances, kind="stable")
    inside = np.cumsum(weights[order]) >= (1 - FALSE_ALARMS) * (n_groups + 1) - 1e-9
    if inside.any():
        return float(distances[order[inside.argmax()]])
    logs = np.log(np.maximum(distances, np.finfo(np.float64).tiny))
    means = np.bincount(group, logs) / np.bincount(group)
    between = float(means.var(ddof=1))
    within = float(np.average((logs - means[group]) ** 2, weights=weights))
    quantile = float(students_t.ppf(1 - FALSE_ALARMS, n_groups - 1))
    normal = np.exp(means.mean() + quantile * np.sqrt(between * (1 + 1 / n_groups) + within))
    return float(max(normal, distances.max()))


def _standardised(X: Floats, centre: Floats, scale: Floats) -> npt.NDArray[np.float32]:
    return np.clip((X - centre) / scale, -MOST_DEVIATIONS, MOST_DEVIATIONS).astype(np.float32)


def _refuse_not_finite(vectors: npt.NDArray[Any]) -> None:
    n_bad = int((~np.isfinite(vectors).all(axis=1)).sum())
    if n_bad:
        raise UsageError(
            f"{n_bad} of {len(vectors)} embeddings hold NaN or infinity; expected finite numbers; "
            "look for silent or broken clips with `bench audit`"
        )
