"""Assignment: recordings that no title was made of -> the title that fits their texts best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer

from bench.description.groups import Group
from bench.metrics import METRICS, Predicted
from bench.stats import bound, levels
from bench.types.retrieval import SentenceEncoder

NGRAMS = (3, 5)
"""Letters of the parts of words that are compared: words of one stem share some."""

NONE = ""
"""In place of a cluster: no title has anything in common with a text."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """How well titles tell hidden recordings apart, by the similarity of a title and their texts.

    Parameters
    ----------
    share : float | None
        Share of the hidden recordings whose texts fit the title of their own cluster best, in [0, 1]; None
        without hidden recordings of two clusters.
    low, high : float | None
        Bounds of its 95 % interval over files; None where there are too few.
    chance : float | None
        The share right of titles in random order, in [0, 1].
    shares : Mapping[str, float]
        Cluster -> the share right of its hidden recordings.
    n_hidden : int
    """

    share: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    n_hidden: int = 0


def assign(
    groups: Sequence[Group], titles: Sequence[str], encoder: SentenceEncoder | None = None
) -> Assignment:
    """Return how well titles tell hidden recordings apart.

    Parameters
    ----------
    titles : Sequence[str]
        Those of the groups; empty for a group without.
    encoder : SentenceEncoder | None
        None to compare parts of words by TF-IDF.
    """
    names = np.array([group.cluster for group in groups])
    hidden = [(group.cluster, each) for group in groups for each in group.hidden]
    if len({cluster for cluster, _ in hidden}) < 2:
        return Assignment(n_hidden=len(hidden))
    texts = [each.text for _, each in hidden]
    similarity = _by_meaning(texts, titles, encoder) if encoder else _by_letters(groups, texts, titles)
    similarity[:, [not title for title in titles]] = 0
    y_true = np.array([cluster for cluster, _ in hidden])
    y_pred = np.where(similarity.max(axis=1) > 0, names[similarity.argmax(axis=1)], NONE)
    predicted = Predicted(y_true, y_pred, np.unique([*names, *y_pred]))
    metric = METRICS["accuracy"]
    interval = bound(metric, predicted, np.array([each.path for _, each in hidden]))
    chance = levels(metric, y_true)
    is_right = y_true == y_pred
    return Assignment(
        share=metric.score(predicted),
        low=interval.low,
        high=interval.high,
        chance=chance.stratified if chance else None,
        shares={name: float(is_right[y_true == name].mean()) for name in np.unique(y_true).tolist()},
        n_hidden=len(hidden),
    )


def _by_letters(
    groups: Sequence[Group], texts: Sequence[str], titles: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Return the cosine similarity of the parts of words in texts and titles, shape=(n_texts, n_titles)."""
    shown = [each.text for group in groups for each in group.shown]
    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAMS, sublinear_tf=True).fit(shown)
    table: npt.NDArray[np.float64] = (vectoriser.transform(texts) @ vectoriser.transform(titles).T).toarray()
    return table


def _by_meaning(
    texts: Sequence[str], titles: Sequence[str], encoder: SentenceEncoder
) -> npt.NDArray[np.float64]:
    """Return the similarity of texts and titles by a sentence encoder, shape=(n_texts, n_titles)."""
    table: npt.NDArray[np.float64] = (encoder.encode(texts) @ encoder.encode(titles).T).astype(np.float64)
    return table
