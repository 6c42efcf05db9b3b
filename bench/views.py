"""Views: frames -> statistics over time (kept by the cache) -> the vector that a clip head sees."""

import numpy as np

from bench.errors import PluginError, UsageError
from bench.types import Embeddings, Frames, Statistics, View

STATISTICS = ("mean", "std", "max", "first")
"""The statistics over frames, in the order in which they are stacked; every pooling is made of them."""


def summarise(frames: Frames, dim: int) -> Statistics:
    """Return every statistic of every layer, so that no other view needs the frames again.

    Parameters
    ----------
    frames : Frames
        shape=(n_layers, n_frames, dim), (n_frames, dim) for one layer, or (dim,) for one frame.
    dim : int
        The width that the extractor declares.

    Raises
    ------
    PluginError
        If the array has another shape, no frames, or values that are not finite.
    """
    precise = stacked(frames, dim).astype(np.float64)
    if len(precise) > 1:  # the mean over layers is stored as one layer more, since its std is no mean of stds
        precise = np.concatenate([precise, precise.mean(axis=0, keepdims=True)])
    parts = [precise.mean(axis=1), precise.std(axis=1), precise.max(axis=1), precise[:, 0]]
    return np.stack(parts, axis=1).astype(np.float32)


def stacked(frames: Frames, dim: int) -> Frames:
    """Return frames with every axis, shape=(n_layers, n_frames, dim).

    Raises
    ------
    PluginError
        If the array has another shape, no frames, or values that are not finite.
    """
    values = np.asarray(frames)
    layers = values.reshape((1,) * (3 - values.ndim) + values.shape) if values.ndim in {1, 2} else values
    if layers.ndim != 3 or layers.shape[1] == 0 or layers.shape[2] != dim:
        raise PluginError(f"returned frames of shape {values.shape}; expected (n_frames, {dim})")
    if not np.issubdtype(layers.dtype, np.floating) or not np.isfinite(layers).all():
        raise PluginError(f"returned {layers.dtype} frames that are not all finite floats")
    return layers.astype(np.float32, copy=False)


def layer(frames: Frames, view: View) -> Frames:
    """Return one layer's frames, shape=(n_frames, dim), of all of them, shape=(n_layers, n_frames, dim).

    Raises
    ------
    UsageError
        If the view names a layer that the extractor does not give.
    """
    if view.layer == "mean":
        mean: Frames = frames.mean(axis=0)
        return mean
    chosen: Frames = frames[_index(view, len(frames))]
    return chosen


def select(statistics: Statistics, view: View) -> Embeddings:
    """Return one vector per clip, shape=(n_clips, dim * number of statistics in the pooling).

    Parameters
    ----------
    statistics : Statistics
        shape=(n_clips, n_layers, n_statistics, dim).

    Raises
    ------
    UsageError
        If the view names a layer that the extractor does not give.
    """
    n_layers = max(statistics.shape[1] - 1, 1)
    chosen = statistics[:, -1 if view.layer == "mean" else _index(view, n_layers)]
    parts = [chosen[:, STATISTICS.index(name)] for name in view.pool.split("+")]
    return np.concatenate(parts, axis=1)


def _index(view: View, n_layers: int) -> int:
    """Return which of the layers a view that is not their mean names."""
    index = n_layers - 1 if isinstance(view.layer, str) else view.layer
    if index >= n_layers:
        raise UsageError(f"view '{view}' names a layer that is not there; expected 0 to {n_layers - 1}")
    return index
