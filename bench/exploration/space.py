"""The space in which clips are clustered: the main components of their standardised embeddings."""

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from bench.errors import UsageError
from bench.metrics import Floats
from bench.types import Embeddings

N_COMPONENTS = 20
"""Largest number of components in which clips are clustered."""

VARIANCE = 0.9
"""Share of the variance that is enough components."""

CLIPS_PER_COMPONENT = 5
"""Smallest number of clips for every component."""

N_SAMPLED = 1000
"""Largest number of clips from which criteria are computed."""

Indices = npt.NDArray[np.int64]
"""Clusters or clips as numbers from 0."""


def principal_scores(vectors: Embeddings, seed: int = 0) -> Floats:
    """Return the main components of standardised vectors, with a mean variance of 1.

    Every dimension has the same weight, since a network may have a few that are hundreds of times larger.
    There are as many components as hold `VARIANCE`, and at most `N_COMPONENTS`.

    Parameters
    ----------
    vectors : Embeddings
        shape=(n_clips, dim), finite.

    Returns
    -------
    Floats
        shape=(n_clips, n_components); their variance falls.

    Raises
    ------
    UsageError
        If there are fewer than two different vectors.
    """
    if len(vectors) < 2:
        raise UsageError(f"clusters: {len(vectors)} clip; expected 2 or more; add clips to the data set")
    if (vectors == vectors[0]).all():
        raise UsageError(
            f"clusters: all {len(vectors)} clips have the same embedding; expected different ones; "
            "choose another extractor or layer, or look for clips of silence"
        )
    scaled = StandardScaler().fit_transform(vectors.astype(np.float64))
    most = max(1, min(N_COMPONENTS, len(vectors) // CLIPS_PER_COMPONENT, vectors.shape[1]))
    pca = PCA(most, random_state=seed).fit(scaled)
    n_components = 1 + int(np.searchsorted(np.cumsum(pca.explained_variance_ratio_), VARIANCE))
    scores = pca.transform(scaled)[:, :n_components]
    return np.asarray(scores / np.sqrt(scores.var(axis=0).mean()))


def sample(n_clips: int, seed: int, largest: int = N_SAMPLED) -> Indices:
    """Return the numbers of some clips, drawn without replacement and sorted; of all if they are few."""
    if n_clips <= largest:
        return np.arange(n_clips)
    return np.sort(np.random.default_rng(seed).choice(n_clips, largest, replace=False))
