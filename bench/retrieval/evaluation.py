"""Evaluation: how often the neighbours of a clip have its label, without those that are alike for another reason.

Conventions: the clip of a chunk is never among its neighbours. Neighbours are exact, whatever the index's engine;
of equal similarities, the smaller id comes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.datasets.columns import STRICT, strict_groups
from bench.errors import UsageError, shortlist
from bench.metrics import rankings
from bench.metrics.base import Bools, Codes, Floats
from bench.retrieval.engines.exact import rows_of
from bench.retrieval.snapshot import Snapshot
from bench.stats.confidence import MIN_EFFECTIVE, korn_graubard
from bench.stats.groups import kish
from bench.types import Embeddings, Unbounded
from bench.types.retrieval import Ids

MOST_QUERIES = 20_000
"""Largest number of chunks whose neighbours are scored; a random sample of more. All are candidates."""

BLOCK = 2**22
"""Largest number of similarities that are sorted together, of 8 bytes each."""

OWN = "clip"
"""Name for the exclusion of the clip alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingScore:
    """A score of neighbours, the mean over queries.

    Parameters
    ----------
    metric : str
        ``map@r``, ``r_precision``, ``precision@1`` or ``recall@K``.
    low, high : float | None
        Bounds of its interval of 95 %; None without one.
    unbounded : Unbounded
        Why there is no interval; empty with one.
    chance : float
        What is expected of neighbours in random order.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    unbounded: Unbounded
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How well neighbours tell a label.

    Parameters
    ----------
    not_same : tuple[str, ...]
        Columns in which a neighbour differs from the query; empty if only its own clip is left out.
    unit : str
        Column whose values are alike in themselves, over which the intervals are; ``clip`` for every clip.
    n_units : int
        Number of these values among the queries.
    n_queries : int
        Number of chunks whose neighbours are scored.
    n_alone : int
        Number of chunks that have no possible neighbour with their label, and are not scored.
    n_candidates : float
        Mean number of possible neighbours.
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


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """The chunks with a label, ascending.

    Parameters
    ----------
    vectors : Embeddings, shape=(n, dim)
    label, file : Codes
        As numbers from 0, shape=(n,).
    groups : Mapping[str, Codes]
        Label column -> value as a number from 0, -1 where a clip has none.
    """

    vectors: Embeddings
    label: Codes
    file: Codes
    groups: Mapping[str, Codes]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Neighbours of queries; each of length n_queries, see `metrics.rankings`."""

    scores: Mapping[str, Floats]
    n_relevant: Codes
    n_candidates: Codes


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
        Columns in which a neighbour differs from the query, or ``clip``; empty for the strictest column of groups
        that leaves most queries a neighbour with their label.
    k : int
        Number of neighbours of ``recall@K``.
    allowed_files : Ids | None
        Clips that take part; None for all.

    Raises
    ------
    UsageError
        If a column is unknown, or no query has a possible neighbour with its label.
    """
    units = [name for name in STRICT if name in snapshot.columns]
    columns = [name for name in not_same if name != OWN]
    labelled = _labelled(snapshot, label, [*columns, *strict_groups(label), *units], allowed_files)
    excluded = tuple(columns) if not_same else _strictest(labelled, strict_groups(label))
    counts = _counts(labelled, excluded)
    queries = np.flatnonzero(counts > 0)
    if not len(queries):
        apart = f" of another {' and '.join(excluded)}" if excluded else ""
        raise UsageError(
            f"--evaluate {label}: no clip has another one{apart} with the same value; name other columns by "
            "--not-same, or --not-same clip"
        )
    n_alone = len(counts) - len(queries)
    if len(queries) > MOST_QUERIES:
        sample = np.random.default_rng(0).choice(len(queries), MOST_QUERIES, replace=False)
        queries = queries[np.sort(sample)]
    neighbours = _neighbours(labelled, excluded, queries, k)
    unit = next((name for name in units if (labelled.groups[name][queries] >= 0).all()), OWN)
    codes = (labelled.file if unit == OWN else labelled.groups[unit])[queries]
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


def _labelled(snapshot: Snapshot, label: str, columns: Sequence[str], allowed: Ids | None) -> Labelled:
    """Return the chunks of clips with a label."""
    for option, name in [("--evaluate", label), *(("--not-same", name) for name in columns)]:
        if name not in snapshot.columns and name not in STRICT:
            raise UsageError(f"{option} {name}: is no label column; expected {shortlist(snapshot.columns, 20)}")
    values = _values(snapshot, label)
    if allowed is not None:
        values = {int(file): values[int(file)] for file in allowed if int(file) in values}
    if not values:
        raise UsageError(f"--evaluate {label}: no clip has a value in it; expected {shortlist(snapshot.columns, 20)}")
    ids = snapshot.chunks_of(values)
    files = snapshot.files_of(ids)
    present = [name for name in dict.fromkeys(columns) if name in snapshot.columns]
    return Labelled(
        vectors=rows_of(snapshot.vectors, ids),
        label=_codes(values, files),
        file=np.unique(files, return_inverse=True)[1],
        groups={name: _codes(_values(snapshot, name), files) for name in present},
    )


def _values(snapshot: Snapshot, column: str) -> Mapping[int, str]:
    """Return file -> value of a label column."""
    return dict(snapshot.connection.execute("SELECT file, value FROM labels WHERE name = ?", [column]))


def _codes(values: Mapping[int, str], files: Ids) -> Codes:
    """Return the value of every file as a number; -1 where it has none."""
    numbers = {value: number for number, value in enumerate(sorted(set(values.values())))}
    return np.array([numbers[values[file]] if file in values else -1 for file in files.tolist()], np.intp)


def _strictest(labelled: Labelled, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the first column that leaves most queries a neighbour with their label; none if no column does."""
    present = [name for name in columns if name in labelled.groups]
    return next(((name,) for name in present if (_counts(labelled, (name,)) > 0).mean() > 0.5), ())


def _counts(labelled: Labelled, excluded: Sequence[str]) -> Codes:
    """Return the number of possible neighbours of every chunk with its label."""
    rows = np.arange(len(labelled.label))
    blocks = (labelled.label == labelled.label[part, None] for part in _blocks(rows, len(rows)))
    same = zip(_blocks(rows, len(rows)), blocks, strict=True)
    return np.concatenate([(of & ~_is_excluded(labelled, excluded, part)).sum(axis=1) for part, of in same])


def _is_excluded(labelled: Labelled, excluded: Sequence[str], queries: Codes) -> Bools:
    """Return whether a chunk is no possible neighbour, shape=(n_queries, n)."""
    mask = labelled.file == labelled.file[queries, None]
    for name in excluded:
        codes = labelled.groups[name]
        mask |= (codes == codes[queries, None]) & (codes[queries, None] >= 0)
    return np.asarray(mask)


def _neighbours(labelled: Labelled, excluded: Sequence[str], queries: Codes, k: int) -> Neighbours:
    """Return the scores of the neighbours of queries."""
    parts = []
    for part in _blocks(queries, len(labelled.label)):
        is_out = _is_excluded(labelled, excluded, part)
        same = (labelled.label == labelled.label[part, None]) & ~is_out
        n_relevant, n_candidates = same.sum(axis=1), (~is_out).sum(axis=1)
        similarities = labelled.vectors[part] @ labelled.vectors.T
        nearest = _nearest(similarities, is_out, max(int(n_relevant.max()), k))
        relevant = np.take_along_axis(same, nearest, axis=1)
        parts.append(
            (
                rankings.average_precision_at_r(relevant, n_relevant),
                rankings.r_precision(relevant, n_relevant),
                rankings.precision_at_1(relevant),
                rankings.recall_at_k(relevant, k),
                n_relevant,
                n_candidates,
            )
        )
    *scores, n_relevant, n_candidates = map(np.concatenate, zip(*parts, strict=True))
    names = ("map@r", "r_precision", "precision@1", f"recall@{k}")
    return Neighbours(dict(zip(names, scores, strict=True)), n_relevant, n_candidates)


def _nearest(similarities: Embeddings, is_out: Bools, depth: int) -> Codes:
    """Return the columns of the largest similarities of every row, those that are out behind all others.

    A key holds the similarity in its upper half, so that integers of it sort as it does, and the column in its
    lower half: that is faster than `np.argsort`, and equal similarities have one order.
    """
    bits = np.where(is_out, np.float32(np.inf), -similarities).view(np.int32)
    keys = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int64) << 32 | np.arange(bits.shape[1])
    if depth < keys.shape[1]:
        keys = np.partition(keys, depth, axis=1)[:, :depth]
    keys.sort(axis=1)
    return np.asarray(keys & 0xFFFFFFFF)


def _blocks(rows: Codes, n: int) -> Iterator[Codes]:
    """Yield rows in blocks whose similarities to n chunks fit into memory."""
    size = max(1, BLOCK // n)
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _scores(neighbours: Neighbours, codes: Codes, k: int) -> Iterator[RankingScore]:
    """Yield the means over queries, with intervals over units."""
    sizes = neighbours.n_relevant, neighbours.n_candidates
    precision = rankings.chance_of_precision(*sizes)
    chances = {
        "map@r": rankings.chance_of_average_precision(*sizes),
        f"recall@{k}": rankings.chance_of_recall(*sizes, k),
    }
    for metric, values in neighbours.scores.items():
        low, high = _interval(values, codes)
        yield RankingScore(
            metric=metric,
            value=float(values.mean()),
            low=low,
            high=high,
            unbounded="" if low is not None else "few_groups",
            chance=float(chances.get(metric, precision).mean()),
        )


def _interval(values: Floats, codes: npt.NDArray[np.intp]) -> tuple[float, float] | tuple[None, None]:
    """Return the interval of a mean by the spread of its units, whose queries are alike (delete-a-group jackknife)."""
    codes = np.unique(codes, return_inverse=True)[1]
    sizes, sums = np.bincount(codes), np.bincount(codes, values)
    n_units = kish(sizes)
    if n_units < MIN_EFFECTIVE:
        return None, None
    without = (values.sum() - sums) / (len(values) - sizes)
    variance = ((without - without.mean()) ** 2).sum() * (1 - 1 / len(sizes))
    low, high = korn_graubard(float(values.mean()), variance, len(values), n_units)
    return float(low), float(high)
