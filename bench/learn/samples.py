"""Labelled clips, and the samples that a head is fitted to: clips, or single frames of clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bench.types import Labels, Samples, Split, Unit

Rows = npt.NDArray[np.intp]
"""Indices of clips."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Clips as a head's unit sees them, with their labels and their split.

    Parameters
    ----------
    X : Samples
        One row per clip, shape=(n_clips, dim) or (n_clips, n_layers, dim); or one array of frames per clip,
        shape=(n_frames, dim).
    y : Labels
        shape=(n_clips,).
    copies : Sequence[Samples]
        Augmented copies of all clips, each like `X`: trained on together with their clips, never tested.
    """

    X: Samples
    y: Labels
    split: Split
    copies: Sequence[Samples] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SampleTable:
    """Samples, and the clip of each.

    Parameters
    ----------
    X : Samples
        One entry per sample.
    clip : np.ndarray, shape=(n_samples,)
        Index of every sample's clip.
    is_original : np.ndarray, shape=(n_samples,), dtype=bool
        False for a sample of an augmented copy.
    """

    X: Samples
    clip: Rows
    is_original: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, X: Samples, copies: Sequence[Samples] = (), unit: Unit = "clip") -> Self:
        """Return the samples of clips and their copies: single frames for the unit ``frame``, else clips."""
        versions = (X, *copies)
        n_clips = len(X)
        lengths = [len(array) if unit == "frame" else 1 for version in versions for array in version]
        clip = np.repeat(np.tile(np.arange(n_clips), len(versions)), lengths)
        is_original = np.arange(len(clip)) < sum(lengths[:n_clips])
        is_array = isinstance(X, np.ndarray)
        arrays: Sequence[Any] = versions if is_array else [array for version in versions for array in version]
        joined = np.concatenate(arrays) if is_array or unit == "frame" else arrays
        return cls(joined, clip, is_original)

    @property
    def is_finite(self) -> bool:
        """Return whether no value is NaN or infinite."""
        arrays = [self.X] if isinstance(self.X, np.ndarray) else self.X
        return all(bool(np.isfinite(array).all()) for array in arrays)

    def select(self, mask: npt.NDArray[np.bool_]) -> Self:
        """Return the samples that a mask selects, shape=(n_samples,)."""
        X = self.X
        rows = X[mask] if isinstance(X, np.ndarray) else [X[int(row)] for row in np.flatnonzero(mask)]
        return type(self)(rows, self.clip[mask], self.is_original[mask])

    def training(self, clips: Rows) -> Self:
        """Return the samples of some clips, with those of their copies."""
        return self.select(np.isin(self.clip, clips))

    def testing(self, clips: Rows) -> Self:
        """Return the samples of some clips without those of their copies."""
        return self.select(np.isin(self.clip, clips) & self.is_original)


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Samples of one fold.

    Parameters
    ----------
    train, test : SampleTable
        Samples to fit to, and samples to predict.
    y_train, group_train : Labels
        Label and group of every training sample, shape=(n_train_samples,).
    """

    name: str
    train: SampleTable
    y_train: Labels
    group_train: Labels
    test: SampleTable
