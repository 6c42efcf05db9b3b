"""Features z-scored per group of clips, such as a speaker, without labels."""

from collections.abc import Sequence

import numpy as np

from bench.types import Labels, Samples


def normalise(clips: Samples, copies: Sequence[Samples], group: Labels) -> list[Samples]:
    """Return clips and their copies with every feature z-scored over the clips of each group.

    A feature that is constant in a group becomes 0 there, so that the clip of a group with one clip is all 0.

    Parameters
    ----------
    clips : Samples
        shape=(n_clips, dim) or (n_clips, n_layers, dim).
    copies : Sequence[Samples]
        Augmented copies of the clips, in the shape of `clips`: they take the mean and the standard deviation
        of the clips, so that no result of a clip depends on them.
    group : Labels
        shape=(n_clips,).

    Returns
    -------
    list[Samples]
        Clips and copies, in their shapes and dtypes; computed in float64.

    References
    ----------
    Schuller et al., "Cross-corpus acoustic emotion recognition: variances and strategies", IEEE Transactions
    on Affective Computing 1(2), 2010 (speaker normalisation).
    """
    versions = [np.asarray(version) for version in (clips, *copies)]
    results = [np.empty_like(version) for version in versions]
    for name in np.unique(group):
        rows = np.asarray(group) == name
        of_group = versions[0][rows].astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinite features become NaN, which no head is fitted to
            is_constant = np.ptp(of_group, axis=0) == 0
            mean, scale = of_group.mean(axis=0), np.where(is_constant, 1.0, of_group.std(axis=0))
            for version, result in zip(versions, results, strict=True):
                result[rows] = np.where(is_constant, 0.0, (version[rows] - mean) / scale)
    return list(results)
