"""Batches: the samples of clips -> windows -> what an extractor is called with at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.types import Audio

BATCH_CLIPS = 256
"""Largest number of windows in a batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A whole clip, or a part of one that is longer than the extractor takes.

    Parameters
    ----------
    content : str
        Digest of the clip's content.
    """

    content: str
    audio: Audio


def cut(content: str, samples: Audio, max_samples: int) -> Sequence[Window]:
    """Return a clip in windows of equal length, at most `max_samples` each; 0 for any length.

    Examples
    --------
    >>> [window.audio.size for window in cut("a", np.zeros(10, np.float32), max_samples=4)]
    [4, 3, 3]
    """
    n_windows = -(-samples.size // max_samples) if max_samples else 1
    return [Window(content, part) for part in np.array_split(samples, n_windows)]


class BatchBuilder:
    """Fills batches with windows in their order; a batch's length counts padding.

    Parameters
    ----------
    padded_samples : int
        Length that the extractor pads every window to, in samples.
    """

    def __init__(self, padded_samples: int) -> None:
        self._padded_samples = padded_samples
        self._batch: list[Window] = []
        self._longest = padded_samples

    def add(self, window: Window, max_samples: int) -> Sequence[Window]:
        """Add a window; return the batch before it if the window does not fit there, else an empty one.

        Parameters
        ----------
        max_samples : int
            Longest audio in a batch, in samples; a longer window is a batch by itself.
        """
        longest = max(self._longest, window.audio.size)
        n_windows = len(self._batch)
        batch: Sequence[Window] = []
        if n_windows and (longest * (n_windows + 1) > max_samples or n_windows == BATCH_CLIPS):
            batch = self.flush()
            longest = max(self._padded_samples, window.audio.size)
        self._batch.append(window)
        self._longest = longest
        return batch

    def flush(self) -> Sequence[Window]:
        """Return the windows that are in no batch so far, and start a new batch."""
        batch, self._batch = self._batch, []
        self._longest = self._padded_samples
        return batch
