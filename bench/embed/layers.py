"""Layers: what an extractor returns -> one array of frames with every axis, and one layer of it."""

import numpy as np

from bench.errors import PluginError, UsageError
from bench.types import Frames, Layer


def as_layers(frames: Frames, dim: int, n_layers: int | None = None) -> Frames:
    """Return one clip's frames with a layer axis; the last hidden state comes after several layers.

    Parameters
    ----------
    frames : Frames
        shape=(n_layers, n_frames, dim), (n_frames, dim) for one layer, or (dim,) for one frame. One layer
        more than `n_layers` is the last hidden state of a model that changes its last layer.
    dim : int
        Width that the extractor declares.
    n_layers : int | None
        Number of layers that the extractor declares; None if it declares none.

    Returns
    -------
    Frames
        shape=(1, n_frames, dim) or (n_layers + 1, n_frames, dim), dtype=float32.

    Raises
    ------
    PluginError
        If the array has another shape, has no frames, or does not hold floats.
    """
    values = np.asarray(frames)
    layers = values.reshape((1,) * (3 - values.ndim) + values.shape) if values.ndim in {1, 2} else values
    if layers.ndim != 3 or layers.shape[1] == 0 or layers.shape[2] != dim:
        raise PluginError(f"returned frames of shape {values.shape}; expected (n_frames, {dim})")
    if not np.issubdtype(layers.dtype, np.floating):
        raise PluginError(f"returned {layers.dtype} frames; expected floats")
    n_declared = n_layers or len(layers)
    if len(layers) not in {n_declared, n_declared + 1}:
        raise PluginError(
            f"returned {len(layers)} layers; expected {n_declared}, and one more for the last state"
        )
    if n_declared > 1 and len(layers) == n_declared:
        layers = np.concatenate([layers, layers[-1:]])
    return layers.astype(np.float32, copy=False)


def select_layer(layers: Frames, name: Layer) -> Frames:
    """Return the frames of one layer, shape=(n_frames, dim).

    Parameters
    ----------
    layers : Frames
        As `as_layers` returns them.

    Raises
    ------
    UsageError
        If the extractor does not return the layer.
    """
    n_layers = max(len(layers) - 1, 1)
    if name == "mean":
        return np.asarray(layers[:n_layers].mean(axis=0))
    return np.asarray(layers[layer_index(name, n_layers)])


def layer_index(name: Layer, n_layers: int) -> int:
    """Return the position of a layer; the last hidden state comes after several layers.

    Raises
    ------
    UsageError
        If the extractor does not return the layer.

    Examples
    --------
    >>> layer_index(3, n_layers=13), layer_index("last", n_layers=13), layer_index("last", n_layers=1)
    (3, 13, 0)
    """
    if name == "last":
        return n_layers if n_layers > 1 else 0
    if not isinstance(name, int) or name >= n_layers:
        raise UsageError(f"there is no layer {name}; expected @layer=0 to {n_layers - 1}, last or mean")
    return name
