"""Views: frames -> statistics over time (kept by the cache) -> the vector that a clip head sees."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.errors import PluginError, UsageError
from bench.types import Embeddings, Frames, Layer, Statistics, View

STATISTICS = ("mean", "std", "max", "first")
"""The statistics over frames, in the order in which they are stacked; every pooling is made of them."""

EXACT_FRAMES = 2000
"""Of so many frames, sums in float32 are exact enough."""


def stacked(frames: Frames, dim: int, n_layers: int | None = None) -> Frames:
    """Return frames with every axis: one layer, or every layer and then the last one.

    Parameters
    ----------
    frames : Frames
        shape=(n_layers, n_frames, dim), (n_frames, dim) for one layer, or (dim,) for one frame. One layer
        more than `n_layers` is the model's last hidden state, where that is not the last layer itself.
    dim : int
        The width that the extractor declares.
    n_layers : int | None
        The number of layers that it declares, if any.

    Returns
    -------
    Frames
        shape=(1, n_frames, dim) or (n_layers + 1, n_frames, dim).

    Raises
    ------
    PluginError
        If the array has another shape, no frames, or is none of floats.
    """
    values = np.asarray(frames)
    layers = values.reshape((1,) * (3 - values.ndim) + values.shape) if values.ndim in {1, 2} else values
    if layers.ndim != 3 or layers.shape[1] == 0 or layers.shape[2] != dim:
        raise PluginError(f"returned frames of shape {values.shape}; expected (n_frames, {dim})")
    if not np.issubdtype(layers.dtype, np.floating):
        raise PluginError(f"returned {layers.dtype} frames; expected floats")
    n_given, n_named = len(layers), n_layers or len(layers)
    if n_given not in {n_named, n_named + 1}:
        raise PluginError(f"returned {n_given} layers; expected {n_named}, and one more for the last state")
    if n_named > 1 and n_given == n_named:
        layers = np.concatenate([layers, layers[-1:]])
    return layers.astype(np.float32, copy=False)


def summarise(layers: Frames) -> Statistics:
    """Return every statistic of every layer, so that no other view needs the frames again.

    Parameters
    ----------
    layers : Frames
        As `stacked` returns them.

    Raises
    ------
    PluginError
        If the frames are not all finite.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # told below
        parts = [_statistics(layers)]
        if len(layers) > 1:  # the mean over layers is one layer more, since its std is no mean of stds
            parts.append(_statistics(layers[:-1].mean(axis=0, keepdims=True)))
    statistics = np.concatenate(parts)
    if not np.isfinite(statistics).all():
        raise PluginError("returned frames that are not all finite")
    return statistics


def _statistics(layers: Frames) -> Statistics:
    """Return the statistics of every layer, shape=(n_layers, n_statistics, dim)."""
    # Sums of many float32 lose digits, those of a window of a transformer do not.
    dtype = np.float32 if layers.shape[1] <= EXACT_FRAMES else np.float64
    mean = layers.mean(axis=1, dtype=dtype, keepdims=True)
    deviations = np.subtract(layers, mean, dtype=dtype)
    np.square(deviations, out=deviations)
    std = np.sqrt(deviations.mean(axis=1))
    parts = [mean[:, 0], std, layers.max(axis=1), layers[:, 0]]
    return np.stack(parts, axis=1).astype(np.float32, copy=False)


def merge(parts: Sequence[tuple[int, Statistics]]) -> Statistics:
    """Return the statistics of a clip from those of its windows, in their order, each with its n_frames.

    Means and variances are combined as in Chan, Golub and LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", 1979.
    """
    if len(parts) == 1:
        return parts[0][1]
    weights = np.array([n_frames for n_frames, _ in parts], dtype=np.float64)
    weights /= weights.sum()
    mean, std, highest, first = np.stack([part for _, part in parts]).astype(np.float64).transpose(2, 0, 1, 3)
    whole = np.einsum("w,wld->ld", weights, mean)
    variance = np.einsum("w,wld->ld", weights, std**2 + (mean - whole) ** 2)
    return np.stack([whole, np.sqrt(variance), highest.max(axis=0), first[0]], axis=1).astype(np.float32)


def layer(layers: Frames, name: Layer) -> Frames:
    """Return one layer's frames, shape=(n_frames, dim), of those that `stacked` returned.

    Raises
    ------
    UsageError
        If the extractor does not give the layer.
    """
    if name == "mean":
        return np.asarray(layers[: max(len(layers) - 1, 1)].mean(axis=0))
    return np.asarray(layers[_index(name, max(len(layers) - 1, 1))])


def select(statistics: Sequence[Statistics], view: View) -> Embeddings:
    """Return one vector per clip, shape=(n_clips, dim * number of statistics in the pooling).

    Parameters
    ----------
    statistics : Sequence[Statistics]
        One array per clip.

    Raises
    ------
    UsageError
        If the view names a layer that the extractor does not give.
    """
    n_stored = len(statistics[0])
    index = -1 if view.layer == "mean" else _index(view.layer, max(n_stored - 2, 1))
    pooled = [STATISTICS.index(name) for name in view.pool.split("+")]
    return np.stack([clip[index, pooled].ravel() for clip in statistics])


def every_layer(statistics: Sequence[Statistics], view: View) -> Embeddings:
    """Return the pooled vectors of every layer per clip, shape=(n_clips, n_layers, dim * n_statistics)."""
    n_layers = max(len(statistics[0]) - 2, 1)
    return np.stack([select(statistics, replace(view, layer=number)) for number in range(n_layers)], axis=1)


def _index(name: Layer, n_layers: int) -> int:
    """Return which of the layers a name means, but for their mean; the last state is behind them."""
    if name == "last":
        return n_layers if n_layers > 1 else 0
    if not isinstance(name, int) or name >= n_layers:
        raise UsageError(f"there is no layer {name}; expected @layer=0 to {n_layers - 1}, last or mean")
    return name
