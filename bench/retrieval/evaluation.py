"""Evaluation: how well the neighbours of a clip tell its label, without those of its own group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.datasets.columns import STRICT, strict_groups
from bench.errors import UsageError, shortlist
from bench.metrics import rankings
from bench.metrics.base import Codes, Floats
from bench.retrieval.labelled import Labelled, Neighbours
from bench.retrieval.snapshot import Snapshot
from bench.stats.confidence import MIN_EFFECTIVE, Bounds, korn_graubard
from bench.stats.groups import kish
from bench.types import Score
from bench.types.retrieval import Ids

MOST_QUERIES = 20_000
"""Largest number of chunks whose neighbours are scored; a random sample of more. All are candidates."""

CLIP = "clip"
"""Name of the exclusion of the own clip alone, and of clips as units of intervals."""


@dataclass(frozen=True, slots=True)
class RankingScore:
    """A mean score of neighbours, and what is expected of it if they are in random order."""

    score: Score
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How well neighbours tell a label.

    Parameters
    ----------
    not_same : tuple[str, ...]
        Columns in which a neighbour differs from the query; empty if only its own clip is left out.
    unit : str
        Column of the units over which the intervals are, whose clips are alike; ``clip`` for every clip.
    n_classes, n_units : int
        Numbers of labels and of units of the queries.
    n_queries : int
        Number of chunks whose neighbours are scored.
    n_alone : int
        Number of chunks without a possible neighbour with their label, which are not scored.
    n_candidates : float
        Mean number of possible neighbours.
    scores : tuple[RankingScore, ...]
        Of ``map@r``, ``r_precision``, ``precision@1`` and ``recall@K``.
    """

    label: str
    not_same: tuple[str, ...]
    unit: str
    n_classes: int
    n_units: int
    n_queries: int
    n_alone: int
    n_candidates: float
    scores: tuple[RankingScore, ...]


def evaluate(
    snapshot: Snapshot,
    label: str,
    not_same: Sequence[str] = (),
    k: int = 10,
    allowed_files: Ids | None = None,
) -> Evaluation:
    """Return how well the neighbours of chunks tell a label.

    Parameters
    ----------
    not_same : Sequence[str]
        Columns in which a neighbour differs from the query, or ``clip``; empty for the strictest column of
        groups that leaves most chunks a neighbour with their label.
    k : int
        Number of neighbours of ``recall@K``.
    allowed_files : Ids | None
        Clips that take part; None for all.

    Raises
    ------
    UsageError
        If a column is unknown, or no chunk has a possible neighbour with its label.
    """
    columns = tuple(name for name in not_same if name != CLIP)
    _check_columns(snapshot, label, columns)
    groups = [name for name in strict_groups(label) if name in snapshot.columns]
    units = [name for name in STRICT if name in snapshot.columns]
    labelled = Labelled.of(snapshot, label, [*columns, *groups, *units], allowed_files)
    excluded = columns if not_same else _strictest(labelled, groups)
    queries, n_alone = _queries(labelled, label, excluded)
    neighbours = labelled.neighbours(queries, excluded, k)
    unit = next((name for name in units if (labelled.groups[name][queries] >= 0).all()), CLIP)
    codes = (labelled.file if unit == CLIP else labelled.groups[unit])[queries]
    return Evaluation(
        label=label,
        not_same=excluded,
        unit=unit,
        n_classes=len(np.unique(labelled.label[queries])),
        n_units=len(np.unique(codes)),
        n_queries=len(queries),
        n_alone=n_alone,
        n_candidates=float(neighbours.n_candidates.mean()),
        scores=tuple(_scores(neighbours, codes, k)),
    )


def _check_columns(snapshot: Snapshot, label: str, columns: Sequence[str]) -> None:
    """Refuse unknown columns."""
    for option, name in [("--evaluate", label), *(("--not-same", name) for name in columns)]:
        if name not in snapshot.columns:
            expected = f"expected {shortlist(snapshot.columns, 20)}" if snapshot.columns else "it has none"
            raise UsageError(f"{option} {name}: is no label column here; {expected}")


def _strictest(labelled: Labelled, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the first column that leaves most chunks a neighbour with their label; none if none does."""
    return next(((name,) for name in columns if (labelled.counts((name,)) > 0).mean() > 0.5), ())


def _queries(labelled: Labelled, label: str, excluded: Sequence[str]) -> tuple[Codes, int]:
    """Return the chunks with a possible neighbour that has their label, and the number of the others."""
    counts = labelled.counts(excluded)
    queries = np.flatnonzero(counts)
    if not len(queries):
        apart = f" of another {' and '.join(excluded)}" if excluded else ""
        raise UsageError(
            f"--evaluate {label}: no clip has another one{apart} with its value; name other columns by "
            f"--not-same, or --not-same {CLIP}"
        )
    n_alone = len(counts) - len(queries)
    if len(queries) > MOST_QUERIES:
        sample = np.random.default_rng(0).choice(len(queries), MOST_QUERIES, replace=False)
        queries = queries[np.sort(sample)]
    return queries, n_alone


def _scores(neighbours: Neighbours, codes: Codes, k: int) -> Iterator[RankingScore]:
    """Yield the means over queries, with their intervals and chance."""
    sizes = neighbours.n_relevant, neighbours.n_candidates
    precision = rankings.chance_of_precision(*sizes)
    chances = {
        "map@r": rankings.chance_of_average_precision(*sizes),
        f"recall@{k}": rankings.chance_of_recall(*sizes, min(k, int(neighbours.n_candidates.max()))),
    }
    for metric, values in neighbours.scores.items():
        bounds = _bounds(values, codes)
        score = Score(
            metric, float(values.mean()), low=bounds.low, high=bounds.high, unbounded=bounds.unbounded
        )
        yield RankingScore(score, float(chances.get(metric, precision).mean()))


def _bounds(values: Floats, units: Codes) -> Bounds:
    """Return the interval of a mean over queries, by the spread of units (delete-a-group jackknife)."""
    codes = np.unique(units, return_inverse=True)[1]
    sizes, sums = np.bincount(codes), np.bincount(codes, values)
    n_units = kish(sizes)
    if n_units < MIN_EFFECTIVE:
        return Bounds(unbounded="few_groups")
    without = (values.sum() - sums) / (len(values) - sizes)
    variance = float(((without - without.mean()) ** 2).sum() * (1 - 1 / len(sizes)))
    low, high = korn_graubard(float(values.mean()), variance, len(values), n_units)
    return Bounds(float(low), float(high))
