"""Scores of rankings: how many of the first neighbours of a query are of its class.

Conventions: ``relevant`` says whether the neighbour of a query at a place is of the query's class, the
nearest one first, shape=(n_queries, depth). ``n_relevant`` is the number R of candidates of that class, from
1 to the depth, and ``n_candidates`` that of all candidates, shape=(n_queries,). There is a score per query,
in [0, 1], higher is better.
"""

import numpy as np
from scipy.special import digamma, gammaln

from bench.metrics.base import Bools, Codes, Floats


def precision_at_1(relevant: Bools) -> Floats:
    """Return 1 for a query whose nearest neighbour is of its class, else 0."""
    return np.asarray(relevant[:, 0], np.float64)


def r_precision(relevant: Bools, n_relevant: Codes) -> Floats:
    """Return the share of the first R neighbours that are of the class.

    References
    ----------
    Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, section 8.4.
    """
    return np.asarray((relevant & _within(relevant, n_relevant)).sum(axis=1) / n_relevant)


def average_precision_at_r(relevant: Bools, n_relevant: Codes) -> Floats:
    """Return the sum of the precisions at the neighbours of the class among the first R, over R.

    Its mean over queries is MAP@R.

    References
    ----------
    Musgrave, Belongie and Lim, "A metric learning reality check", ECCV 2020, section 3.2.
    """
    precisions = np.cumsum(relevant, axis=1) / np.arange(1, relevant.shape[1] + 1)
    counted = relevant & _within(relevant, n_relevant)
    return np.asarray((precisions * counted).sum(axis=1) / n_relevant)


def recall_at_k(relevant: Bools, k: int) -> Floats:
    """Return 1 for a query with a neighbour of its class among the first k, else 0.

    References
    ----------
    Jégou, Douze and Schmid, "Product quantization for nearest neighbor search", PAMI 2011; in this sense also
    in metric learning, as by Musgrave et al. 2020.
    """
    return np.asarray(relevant[:, :k].any(axis=1), np.float64)


def chance_of_precision(n_relevant: Codes, n_candidates: Codes) -> Floats:
    """Return what is expected of `precision_at_1` and of `r_precision` if the order is random."""
    return np.asarray(n_relevant / n_candidates)


def chance_of_average_precision(n_relevant: Codes, n_candidates: Codes) -> Floats:
    """Return what is expected of `average_precision_at_r` if the order is random.

    The neighbour at place i is of the class with the probability p = R / n, and then each of the i - 1 before
    it with q = (R - 1) / (n - 1): this is the mean over i = 1 ... R of p (1 + (i - 1) q) / i.
    """
    share = n_relevant / n_candidates
    others = (n_relevant - 1) / np.maximum(n_candidates - 1, 1)
    harmonic = digamma(n_relevant + 1) - digamma(1)
    return np.asarray(share * (harmonic * (1 - others) + n_relevant * others) / n_relevant)


def chance_of_recall(n_relevant: Codes, n_candidates: Codes, k: int) -> Floats:
    """Return what is expected of `recall_at_k` if the order is random: 1 - C(n - R, k) / C(n, k)."""
    rest = n_candidates - n_relevant
    drawn = np.minimum(k, n_candidates)
    is_possible = rest >= drawn
    bottom = np.where(is_possible, rest - drawn, 0)
    log_none = gammaln(rest + 1) - gammaln(bottom + 1) - gammaln(n_candidates + 1)
    log_none = log_none + gammaln(n_candidates - drawn + 1)
    return np.where(is_possible, -np.expm1(np.minimum(log_none, 0)), 1.0)


def _within(relevant: Bools, n_relevant: Codes) -> Bools:
    """Return whether a place is among the first R, shape=(n_queries, depth)."""
    return np.asarray(np.arange(relevant.shape[1]) < n_relevant[:, None])
