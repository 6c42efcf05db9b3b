"""Fusion: several rankings of the same things -> one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bench.types.retrieval import Ids, Scores

RRF_K = 60
"""What is added to every rank, as Cormack et al. chose it."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Recordings, the best first, each with its best text.

    Parameters
    ----------
    files, texts : Ids
        Different recordings, and for each the id of a text, shape=(n,).
    """

    files: Ids
    texts: Ids

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Ranking:
        """Return the ranking of pairs of a recording and a text."""
        table = np.array(list(pairs), np.int64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1])


def reciprocal_ranks(rankings: Iterable[Ids]) -> tuple[Ids, Scores]:
    """Return the ids in several rankings by the sum of 1 / (60 + rank), the best first, and these sums.

    Ranks count from 1, and a ranking without an id adds nothing to its sum. Equal sums are in the order of
    the ids.

    Parameters
    ----------
    rankings : Iterable[Ids]
        Different ids in each, the best first.

    Examples
    --------
    >>> ids, scores = reciprocal_ranks([np.array([7, 8]), np.array([8, 9])])
    >>> ids.tolist(), (10_000 * scores).round().tolist()
    ([8, 7, 9], [325.0, 164.0, 161.0])

    References
    ----------
    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods", SIGIR 2009.
    """
    every = [np.asarray(ranking, np.int64) for ranking in rankings]
    ids, places = np.unique(np.concatenate([*every, np.empty(0, np.int64)]), return_inverse=True)
    weights = [1 / (RRF_K + np.arange(1, len(ranking) + 1)) for ranking in every]
    sums = np.bincount(places, np.concatenate([*weights, np.empty(0)]), len(ids))
    order = np.lexsort((ids, -sums))
    return ids[order], sums[order].astype(np.float32)
