"""Duplicates: groups of clips that are one recording, their embeddings, labels and sides of a split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.datasets.columns import ORIGINS
from bench.datasets.folds import column_folds, is_leak
from bench.datasets.index import Source
from bench.errors import UsageError
from bench.files import replace_text
from bench.types import Embeddings

N_PAIRS = 1000
"""Number of random pairs of clips whose distances a distance of duplicates is compared with."""

Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """Labels and sides of a group of duplicates.

    Parameters
    ----------
    labels : Mapping[str, Mapping[str, int]]
        Label column -> label -> number of clips.
    folds : Mapping[str, int]
        Fold -> number of clips; empty without a split.
    is_leak : bool
        Whether the group is on both sides of the split.
    """

    labels: Mapping[str, Mapping[str, int]]
    folds: Mapping[str, int]
    is_leak: bool

    @property
    def contradictions(self) -> tuple[str, ...]:
        """Return the label columns in which the clips differ; a clip without a label differs from none."""
        return tuple(name for name, counts in self.labels.items() if len(counts.keys() - {""}) > 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Duplicates:
    """Groups of clips that are one recording; an entry per clip in a group, in the order of groups and clips.

    Parameters
    ----------
    clip : np.ndarray, shape=(n_duplicates,), dtype=int
        Row of the clip in the vectors.
    group : np.ndarray, shape=(n_duplicates,), dtype=int
        Number of its group, from 0.
    kind : np.ndarray, shape=(n_duplicates,), dtype=str
        ``identical`` if another clip of the group has the same samples, else ``near``.
    distance : np.ndarray, shape=(n_duplicates,), dtype=float64
        Cosine distance of its embedding to that of the first clip of the group, in [0, 2].
    groups : tuple[DuplicateGroup, ...]
    pair_distance : float | None
        Median cosine distance of random pairs of clips, for comparison; None for a single clip.
    is_near_searched : bool
        Whether near copies were looked for, and not only identical samples.
    """

    clip: Rows
    group: Rows
    kind: npt.NDArray[np.str_]
    distance: npt.NDArray[np.float64]
    groups: tuple[DuplicateGroup, ...]
    pair_distance: float | None
    is_near_searched: bool


def duplicates(
    source: Source, vectors: Embeddings, folds: Sequence[str] | None = None, rows: Rows | None = None
) -> Duplicates:
    """Return the duplicates among the clips of a source.

    Identical samples and near copies are those of the source, as a run keeps them together: its request says
    whether near copies are looked for. Embeddings join no clips, since two takes of a word may be as near as
    two copies; their distances are evidence beside.

    Parameters
    ----------
    vectors : Embeddings, shape=(n_clips, dim)
    folds : Sequence[str] | None
        Fold of every clip, as `bench.types.Split` has them; by default those of the column `fold`, if any.
    rows : np.ndarray | None, shape=(n_clips,), dtype=int
        Row of every clip in the source; None if the vectors are those of all clips in its order.

    Raises
    ------
    UsageError
        If the numbers of clips differ, or the column `fold` cannot be read as folds.
    """
    rows = np.arange(len(source.contents)) if rows is None else rows
    for name, values in {"vectors": vectors, "folds": folds}.items():
        if values is not None and len(values) != len(rows):
            raise UsageError(f"duplicates: {len(values)} {name} of {len(rows)} clips; expected one of each")
    if folds is None:
        column = column_folds(source.dataset)
        folds = None if column is None else column[rows].tolist()
    codes, n_groups = _codes([source.fingerprints[row] for row in rows])
    clip = np.flatnonzero(codes >= 0)
    clip = clip[np.argsort(codes[clip], kind="stable")]
    group = codes[clip]
    first = clip[np.searchsorted(group, np.arange(n_groups))]
    same, _ = _codes([source.samples[rows[one]] for one in clip])
    labels = source.dataset.table.iloc[rows].reset_index(drop=True)[_columns(source, rows)]
    members = np.split(clip, np.searchsorted(group, np.arange(1, n_groups))) if n_groups else []
    return Duplicates(
        clip=clip,
        group=group,
        kind=np.where(same >= 0, "identical", "near"),
        distance=_distances(vectors[clip], vectors[first[group]]),
        groups=tuple(_group(labels.iloc[part], part, folds) for part in members),
        pair_distance=_pair_distance(vectors),
        is_near_searched=source.n_near is not None,
    )


def _codes(names: Sequence[str]) -> tuple[Rows, int]:
    """Return a number from 0 up for every name that several clips have, -1 for others, and their count."""
    counts = Counter(names)
    numbers = {name: number for number, name in enumerate(n for n in counts if n and counts[n] > 1)}
    return np.array([numbers.get(name, -1) for name in names], dtype=np.intp), len(numbers)


def _columns(source: Source, rows: Rows) -> list[str]:
    """Return the label columns that say what a clip holds, without those that name every clip apart."""
    table = source.dataset.table.iloc[rows]
    names = [name for name in source.dataset.labels if name not in ORIGINS]
    return [name for name in names if table[name].duplicated().any()]


def _group(labels: pd.DataFrame, part: Rows, folds: Sequence[str] | None) -> DuplicateGroup:
    """Return the labels and the folds of some clips."""
    sides = [] if folds is None else [folds[row] for row in part]
    return DuplicateGroup(
        labels={str(name): _counts(column.tolist()) for name, column in labels.items()},
        folds=_counts(sides),
        is_leak=is_leak(sides, folds or ()),
    )


def _counts(values: Sequence[str]) -> Mapping[str, int]:
    """Return value -> how often it occurs, in the order of values."""
    return dict(sorted(Counter(values).items()))


def _distances(one: Embeddings, other: Embeddings) -> npt.NDArray[np.float64]:
    """Return the cosine distance of every pair of rows; 1 where a vector is zero."""
    norms = np.linalg.norm(one.astype(float), axis=1) * np.linalg.norm(other.astype(float), axis=1)
    products = np.einsum("ij,ij->i", one, other, dtype=float)
    cosine = np.divide(products, norms, out=np.zeros(len(one)), where=norms > 0)
    distances: npt.NDArray[np.float64] = np.clip(1 - cosine, 0, 2)
    return distances


def _pair_distance(vectors: Embeddings) -> float | None:
    """Return the median cosine distance of `N_PAIRS` random pairs of clips."""
    n_clips = len(vectors)
    if n_clips < 2:
        return None
    rng = np.random.default_rng(0)
    one = rng.integers(n_clips, size=N_PAIRS)
    other = (one + rng.integers(1, n_clips, size=N_PAIRS)) % n_clips
    return float(np.median(_distances(vectors[one], vectors[other])))


def duplicate_table(duplicates: Duplicates, source: Source, rows: Rows | None = None) -> pd.DataFrame:
    """Return a row per duplicate: group, clip, path, kind, distance, is_leak, fold and labels.

    Parameters
    ----------
    rows : np.ndarray | None, shape=(n_clips,), dtype=int
        As of `duplicates`.
    """
    places = duplicates.clip if rows is None else rows[duplicates.clip]
    clips = source.dataset.table.iloc[places].reset_index(drop=True)
    columns = {
        "group": duplicates.group,
        "clip": clips["clip"],
        "path": clips["path"],
        "kind": duplicates.kind,
        "distance": duplicates.distance.round(6),
        "is_leak": [duplicates.groups[group].is_leak for group in duplicates.group],
    }
    labels = [name for name in source.dataset.labels if name not in columns]
    return pd.DataFrame(columns).join(clips[labels])


def write_duplicates(path: Path, duplicates: Duplicates, source: Source, rows: Rows | None = None) -> None:
    """Write the table of duplicates as a CSV file; see `duplicate_table`."""
    replace_text(path, duplicate_table(duplicates, source, rows).to_csv(index=False))
