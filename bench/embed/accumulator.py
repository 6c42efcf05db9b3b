"""Accumulator: the windows of a clip -> its embedding."""

from collections.abc import Collection, Mapping

import numpy as np

from bench.costs import Usage
from bench.embed import pooling
from bench.embed.cache import ClipEmbedding
from bench.embed.layers import select_layer
from bench.types import Frames, Layer, Statistics


class ClipAccumulator:
    """Collects the frames of a clip, window by window.

    Parameters
    ----------
    audio_s : float
        Length of the clip, in s.
    n_windows : int
        Number of windows that the clip is cut into.
    frame_layers : Collection[Layer]
        Layers whose frames are stored besides the statistics.
    """

    def __init__(self, audio_s: float, n_windows: int, frame_layers: Collection[Layer]) -> None:
        self._audio_s = audio_s
        self._n_windows = n_windows
        self._frame_layers = frame_layers
        self._seconds = 0.0
        self._parts: list[tuple[int, Statistics]] = []
        self._windows: list[Frames] = []
        self._frames: list[Mapping[Layer, Frames]] = []

    def add(self, layers: Frames, statistics: Statistics, seconds: float) -> None:
        """Add the next window.

        Parameters
        ----------
        layers : Frames
            As `layers.as_layers` returns them.
        statistics : Statistics
            Their statistics, from `pooling.summarise`.
        seconds : float
            Time that the extractor took for the window, in s.

        Raises
        ------
        UsageError
            If the extractor does not return one of the layers.
        """
        self._parts.append((layers.shape[1], statistics))
        self._frames.append({name: select_layer(layers, name) for name in self._frame_layers})
        if self._n_windows > 1 and pooling.needs_frames():
            self._windows.append(layers.copy())  # an extractor may write into one array again and again
        self._seconds += seconds

    @property
    def complete(self) -> bool:
        """Return whether every window was added."""
        return len(self._parts) == self._n_windows

    def embedding(self, n_params: int | None) -> ClipEmbedding:
        """Return the embedding of the clip; its usage is the time alone.

        Parameters
        ----------
        n_params : int | None
            Number of parameters of the extractor's network; None if the extractor does not state it.
        """
        frames = {name: np.concatenate([part[name] for part in self._frames]) for name in self._frame_layers}
        return ClipEmbedding(
            statistics=pooling.merge(self._parts, self._windows),
            audio_s=self._audio_s,
            usage=Usage(seconds=self._seconds, cpu_s=0.0, peak_mb=0.0),
            params=n_params,
            frames=frames,
        )
