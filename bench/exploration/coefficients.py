"""Outliers of every coefficient of frame features, by z-score and by interquartile range.

Conventions: a z-score has the deviation of n - 1, and quartiles are interpolated linearly, both as in pandas.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.errors import UsageError
from bench.exploration.frames import lengths, rows
from bench.metrics import Floats
from bench.report.figures import Axis, Bars
from bench.types import Frames

Z_LIMIT = 3.0
"""A value is an outlier by z-score if it is more deviations than this from the mean."""

IQR_LIMIT = 1.5
"""A value is an outlier by IQR if it is more interquartile ranges than this outside the quartiles."""

MOST_BYTES = 128 * 2**20
"""Memory of the coefficients that are read together; one coefficient of all frames may need more."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outliers:
    """Outliers of every coefficient, by limits that all frames give.

    Parameters
    ----------
    mean, deviation, low_quartile, high_quartile : np.ndarray, shape=(dim,)
        Of all frames.
    groups : tuple[str, ...]
        Names of the groups of clips, sorted; without groups one, ''.
    n_frames : np.ndarray, shape=(n_groups,)
        Number of frames.
    by_z, by_iqr : np.ndarray, shape=(n_groups, dim)
        Number of outliers.
    n_any_by_z, n_any_by_iqr : int
        Number of frames with an outlier of any coefficient.
    """

    mean: Floats
    deviation: Floats
    low_quartile: Floats
    high_quartile: Floats
    groups: tuple[str, ...]
    n_frames: Counts
    by_z: Counts
    by_iqr: Counts
    n_any_by_z: int
    n_any_by_iqr: int


def outliers(frames: Sequence[Frames], groups: Sequence[str] = ()) -> Outliers:
    """Return the outliers of every coefficient.

    The frames are read twice, and once more for every further 128 MiB of them in double precision. Twice as
    much memory is needed, besides one clip and some copies of one coefficient of all frames.

    Parameters
    ----------
    frames : Sequence[Frames]
        The frames of every clip.
    groups : Sequence[str]
        The group of every clip, such as its speaker; none for one group.

    Raises
    ------
    UsageError
        If there are fewer than two frames, or their dims differ.

    References
    ----------
    Tukey, "Exploratory data analysis", 1977 (1.5 interquartile ranges).
    """
    n_frames = lengths(frames)
    total = int(n_frames.sum())
    if total < 2:
        raise UsageError(f"outliers: {total} frames; expected at least 2")
    names, codes = np.unique(np.asarray(list(groups) or [""] * len(n_frames), dtype=str), return_inverse=True)
    group = np.repeat(codes, n_frames)
    moments, counts = [], []
    by_any = np.zeros((2, total), dtype=bool)
    for column in _columns(frames, total):
        low, high = np.quantile(column, [0.25, 0.75])
        margin = IQR_LIMIT * (high - low)
        mean, deviation = column.mean(), column.std(ddof=1)
        by_z = np.abs(column - mean) > Z_LIMIT * deviation
        by_iqr = (column < low - margin) | (column > high + margin)
        by_any |= [by_z, by_iqr]
        moments.append((mean, deviation, low, high))
        counts.append([np.bincount(group[mask], minlength=len(names)) for mask in (by_z, by_iqr)])
    mean, deviation, low, high = np.array(moments).T
    by_z, by_iqr = np.moveaxis(np.array(counts, dtype=np.int64), 0, -1)
    return Outliers(
        mean=mean,
        deviation=deviation,
        low_quartile=low,
        high_quartile=high,
        groups=tuple(names.tolist()),
        n_frames=np.bincount(group, minlength=len(names)).astype(np.int64),
        by_z=by_z,
        by_iqr=by_iqr,
        n_any_by_z=int(by_any[0].sum()),
        n_any_by_iqr=int(by_any[1].sum()),
    )


def _columns(frames: Sequence[Frames], n_frames: int) -> Iterator[Floats]:
    """Yield every coefficient of all frames, shape=(n_frames,), as many at a time as memory allows."""
    dim = rows(frames[0]).shape[1]
    width = max(1, MOST_BYTES // (8 * n_frames))
    for first in range(0, dim, width):
        columns = np.empty((min(width, dim - first), n_frames))
        start = 0
        for clip in frames:
            part = rows(clip)[:, first : first + width].T
            columns[:, start : start + part.shape[1]] = part
            start += part.shape[1]
        yield from columns


def table(counts: Outliers, names: Sequence[str] = ()) -> pd.DataFrame:
    """Return a row per group and coefficient.

    Parameters
    ----------
    names : Sequence[str]
        Names of the coefficients; none for their numbers from 0.

    Returns
    -------
    pd.DataFrame
        Columns group, coefficient, frames, z_score, iqr (numbers of outliers), z_score_share, iqr_share.
    """
    dim = counts.by_z.shape[1]
    n_frames, by_z, by_iqr = np.repeat(counts.n_frames, dim), counts.by_z.ravel(), counts.by_iqr.ravel()
    return pd.DataFrame(
        {
            "group": np.repeat(counts.groups, dim),
            "coefficient": [*(names or map(str, range(dim)))] * len(counts.groups),
            "frames": n_frames,
            "z_score": by_z,
            "iqr": by_iqr,
            "z_score_share": by_z / n_frames,
            "iqr_share": by_iqr / n_frames,
        }
    )


def figure(counts: Outliers, names: Sequence[str] = ()) -> Bars:
    """Return the shares of outliers of every coefficient over all frames; `names` as in `table`."""
    total = counts.n_frames.sum()
    names = names or [str(number) for number in range(counts.by_z.shape[1])]
    bars = {
        f"|z| > {Z_LIMIT:g}": counts.by_z.sum(axis=0) / total,
        f"{IQR_LIMIT:g} IQR": counts.by_iqr.sum(axis=0) / total,
    }
    return Bars(
        title=f"outliers of every coefficient in {total} frames",
        x=Axis("coefficient"),
        y=Axis("share of frames"),
        bars={name: dict(zip(names, values.tolist(), strict=True)) for name, values in bars.items()},
    )
