"""Principal components for a share of the variance: of the frames of every clip, and of a set of vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.errors import UsageError
from bench.exploration.frames import lengths, rows
from bench.exploration.maps import scale
from bench.report.figures import Axis, Bars
from bench.types import Frames

MOST_BINS = 20
"""Largest number of bars of a histogram."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Components:
    """Numbers of principal components.

    Parameters
    ----------
    share : float
        Share of the variance that they explain.
    dim : int
        Number of dimensions of a frame.
    n_frames : np.ndarray, shape=(n_clips,)
        Numbers of frames; a clip has fewer components than frames.
    of_clip : np.ndarray, shape=(n_clips,)
        Numbers of components; 0 for a clip whose frames are all equal.
    """

    share: float
    dim: int
    n_frames: npt.NDArray[np.int64]
    of_clip: npt.NDArray[np.int64]

    @property
    def mean(self) -> float:
        """Return the mean number over the clips that have components; nan if none has."""
        varied = self.of_clip[self.of_clip > 0]
        return float(varied.mean()) if len(varied) else float("nan")


def of_clips(frames: Sequence[Frames], share: float) -> Components:
    """Return the number of components of every clip's frames.

    Parameters
    ----------
    frames : Sequence[Frames]
        The frames of every clip.
    share : float
        In (0, 1].

    Raises
    ------
    UsageError
        If the share is out of bounds, or the dims differ.
    """
    n_frames = lengths(frames)
    return Components(
        share=share,
        dim=rows(frames[0]).shape[1],
        n_frames=n_frames,
        of_clip=np.array([of_vectors(rows(clip), share) for clip in frames], dtype=np.int64),
    )


def of_vectors(vectors: npt.NDArray[np.floating], share: float) -> int:
    """Return the number of principal components of standardised vectors for a share of the variance.

    Parameters
    ----------
    vectors : np.ndarray, shape=(n, dim)
    share : float
        In (0, 1].

    Returns
    -------
    int
        As `sklearn.decomposition.PCA` gives after `StandardScaler`; 0 if all vectors are equal.

    Raises
    ------
    UsageError
        If the share is out of bounds.
    """
    if not 0 < share <= 1:
        raise UsageError(f"components: the share of the variance is {share:g}; expected above 0, at most 1")
    X = scale(vectors)
    # The eigenvalues of X'X and XX' are the same, apart from zeros: those of the smaller one are faster.
    products = X.T @ X if len(X) > X.shape[1] else X @ X.T
    variances = np.maximum(np.linalg.eigvalsh(products)[::-1], 0)
    if variances.sum() == 0:
        return 0
    explained = np.cumsum(variances) / variances.sum()
    return min(int(np.searchsorted(explained, share)), len(explained) - 1) + 1


def figure(components: Components) -> Bars:
    """Return a histogram of the numbers of components, in at most `MOST_BINS` bins of one width."""
    varied = components.of_clip[components.of_clip > 0]
    low, high = (int(varied.min()), int(varied.max())) if len(varied) else (1, 1)
    width = -(-(high - low + 1) // MOST_BINS)
    counts = np.bincount((varied - low) // width, minlength=(high - low) // width + 1)
    starts = range(low, high + 1, width)
    names = [str(start) if width == 1 else f"{start}-{start + width - 1}" for start in starts]
    return Bars(
        title=f"components for {components.share:.0%} of the variance of a clip's frames: "
        f"mean {components.mean:.1f} of {components.dim}",
        x=Axis("components"),
        y=Axis("clips", integer=True),
        bars={"": dict(zip(names, counts.astype(float).tolist(), strict=True))},
    )
