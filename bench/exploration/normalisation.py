"""A check of cepstral mean and variance normalisation (CMVN): moments of every coefficient before and after.

Conventions: variances are those of the population (n, not n - 1), as in `mfcc-cmvn`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.errors import UsageError
from bench.exploration.frames import lengths, rows
from bench.metrics import Floats
from bench.types import Frames

CLIP, ALL = "clip", "all"
"""Normalise over the frames of a clip, or of all clips; the name of a column: over those of a group."""

ROUNDING = 1e-13
"""Largest deviation of a constant coefficient, in means: above rounding, below one odd frame of millions."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Mean and variance of every coefficient in units: clips, or groups of them.

    Parameters
    ----------
    units : tuple[str, ...]
        Names of groups, sorted; clips have none.
    n_frames : np.ndarray, shape=(n_units,)
    mean, variance : np.ndarray, shape=(n_units, dim)
    """

    units: tuple[str, ...]
    n_frames: npt.NDArray[np.int64]
    mean: Floats
    variance: Floats

    @property
    def varied(self) -> npt.NDArray[np.bool_]:
        """Return which coefficients vary in which unit, shape=(n_units, dim)."""
        return self.variance > 0

    @property
    def largest_mean(self) -> float:
        """Return the largest distance of a mean from 0."""
        return float(np.abs(self.mean).max())

    @property
    def largest_variance(self) -> float:
        """Return the largest distance of a variance from 1; constant coefficients are left out.

        It is nan if all are constant.
        """
        return float(np.abs(self.variance[self.varied] - 1).max()) if self.varied.any() else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Check:
    """Moments before and after normalisation.

    Parameters
    ----------
    by : str
        What was normalised over: `CLIP`, `ALL`, or a column.
    before, after : Mapping[str, Moments]
        `CLIP`, `ALL` and every column -> the moments of its units.
    """

    by: str
    before: Mapping[str, Moments]
    after: Mapping[str, Moments]


def check(frames: Sequence[Frames], groups: Mapping[str, Sequence[str]], by: str = CLIP) -> Check:
    """Return the moments of every coefficient before and after normalisation.

    The frames are read three times; one clip at a time is in memory.

    Parameters
    ----------
    frames : Sequence[Frames]
        The frames of every clip.
    groups : Mapping[str, Sequence[str]]
        Column -> the group of every clip, such as its speaker; '' is a group too.
    by : str
        `CLIP` (as the extractor ``mfcc-cmvn`` does), `ALL`, or a column of `groups`.

    Raises
    ------
    UsageError
        If `by` is unknown, or the dims differ.

    References
    ----------
    Viikki and Laurila, "Cepstral domain segmental feature vector normalization for noise robust speech
    recognition", Speech Communication 25, 1998.
    """
    n_frames = lengths(frames)
    if by not in {CLIP, ALL, *groups}:
        expected = ", ".join(dict.fromkeys([CLIP, ALL, *groups]))
        raise UsageError(f"normalisation by '{by}': there is no such column; expected {expected}")
    columns = {CLIP: None, ALL: [""] * len(n_frames), **groups}
    of_clips = _of_clips(map(rows, frames))
    before = {name: _of_groups(of_clips, n_frames, column) for name, column in columns.items()}
    codes = _codes(columns[by], len(n_frames))[1]
    normalised = _normalised(frames, before[by], codes)
    of_clips = _of_clips(normalised)
    after = {name: _of_groups(of_clips, n_frames, column) for name, column in columns.items()}
    return Check(by=by, before=before, after=after)


def _of_clips(frames: Iterator[Floats]) -> tuple[Floats, Floats]:
    """Return the mean and the variance of every clip's coefficients, shape=(n_clips, dim) both."""
    mean, variance = zip(*((clip.mean(axis=0), clip.var(axis=0)) for clip in frames), strict=True)
    return np.stack(mean), np.stack(variance)


def _codes(column: Sequence[str] | None, n_clips: int) -> tuple[tuple[str, ...], npt.NDArray[np.intp]]:
    """Return the names of the units and the unit of every clip; without a column it is the clip itself."""
    if column is None:
        return (), np.arange(n_clips)
    names, codes = np.unique(np.asarray(column, dtype=str), return_inverse=True)
    return tuple(names.tolist()), codes


def _of_groups(
    of_clips: tuple[Floats, Floats], n_frames: npt.NDArray[np.int64], column: Sequence[str] | None
) -> Moments:
    """Return the moments of all frames of every group, from those of its clips."""
    names, codes = _codes(column, len(n_frames))
    mean, variance = of_clips
    totals = np.bincount(codes, weights=n_frames)
    weights = (n_frames / totals[codes])[:, None]

    def sums(values: Floats) -> Floats:
        result = np.zeros((len(totals), values.shape[1]))
        np.add.at(result, codes, values)
        return result

    means = sums(weights * mean)
    variances = sums(weights * (variance + (mean - means[codes]) ** 2))
    variances[variances <= (ROUNDING * means) ** 2] = 0
    return Moments(units=names, n_frames=totals.astype(np.int64), mean=means, variance=variances)


def _normalised(frames: Sequence[Frames], moments: Moments, codes: npt.NDArray[np.intp]) -> Iterator[Floats]:
    """Yield the normalised frames of every clip, in the precision of frames; a constant coefficient is 0."""
    deviation = np.where(moments.varied, np.sqrt(moments.variance), np.inf)
    for clip, code in zip(frames, codes, strict=True):
        normalised = (rows(clip) - moments.mean[code]) / deviation[code]
        yield normalised.astype(np.float32).astype(np.float64)
