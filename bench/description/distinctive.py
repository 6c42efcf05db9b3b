"""Distinctive words: what the texts of a cluster share, and those of other clusters do not.

References
----------
Grootendorst, "BERTopic: neural topic modeling with a class-based TF-IDF procedure", arXiv:2203.05794, 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from bench.description.groups import Group

LEAST_SHARE = 0.25
"""Smallest share of a cluster's recordings that have a word, of which there are at least two."""

MOST_WORDS = 12
"""Largest number of words of a cluster."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a cluster.

    Parameters
    ----------
    words : Sequence[str]
        The most distinctive first.
    weights : Sequence[float]
        Class-based TF-IDF of the words, higher is more distinctive.
    shares : Sequence[float]
        Share of the recordings that have them, in [0, 1].
    """

    words: Sequence[str]
    weights: Sequence[float]
    shares: Sequence[float]


def distinctive(groups: Sequence[Group]) -> list[Words]:
    r"""Return the words of every cluster.

    The weight of word t in cluster c is :math:`tf_{t,c} \log(1 + A / f_t)`: its share of the words of c, its
    number over all clusters, and the mean number of words of a cluster. Here a recording counts a word once,
    and a word has to be in several recordings: what a single text says, however often, is no word of a
    cluster.
    """
    vectoriser = CountVectorizer(analyzer=sorted)
    try:
        vectoriser.fit([each.terms for group in groups for each in group.shown])
    except ValueError:  # no text has a word
        return [Words((), (), ()) for _ in groups]
    names = vectoriser.get_feature_names_out()
    counts = np.stack([_counts(vectoriser, group) for group in groups])
    idf = np.log1p(counts.sum(axis=1).mean() / counts.sum(axis=0))
    weights = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) * idf
    return [_words(group, names, weights[row], counts[row]) for row, group in enumerate(groups)]


def _counts(vectoriser: CountVectorizer, group: Group) -> np.ndarray:
    """Return the number of recordings of a cluster that have each word, shape=(n_words,)."""
    counts: np.ndarray = np.asarray(vectoriser.transform([each.terms for each in group.shown]).sum(axis=0))
    return counts.ravel()


def _words(group: Group, names: np.ndarray, weights: np.ndarray, counts: np.ndarray) -> Words:
    """Return the words of a cluster that enough recordings have."""
    least = max(2, LEAST_SHARE * len(group.shown))
    order = np.lexsort((names, -weights))
    chosen = [row for row in order if counts[row] >= least][:MOST_WORDS]
    return Words(
        [str(names[row]) for row in chosen],
        [float(weights[row]) for row in chosen],
        [counts[row] / len(group.shown) for row in chosen],
    )
