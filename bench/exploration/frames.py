"""Frames of clips, shape=(n_frames, dim) each, one dim for all."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bench.errors import UsageError
from bench.types import Frames


def rows(clip: Frames) -> npt.NDArray[np.float64]:
    """Return the frames of a clip, shape=(n_frames, dim), in double precision."""
    return np.atleast_2d(np.asarray(clip, dtype=np.float64))


def lengths(frames: Sequence[Frames]) -> npt.NDArray[np.int64]:
    """Return the number of frames of every clip, shape=(n_clips,).

    Raises
    ------
    UsageError
        If there is no clip, or the dims differ.
    """
    shapes = [np.atleast_2d(clip).shape for clip in frames]
    dims = sorted({dim for _, dim in shapes})
    if len(dims) != 1:
        raise UsageError(f"frames: {len(shapes)} clips with dims {dims}; expected clips with one dim")
    return np.array([n_frames for n_frames, _ in shapes], dtype=np.int64)
