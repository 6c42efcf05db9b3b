"""Poolings: frames -> statistics over time (cached) -> the vector that a clip head sees.

A new pooling is an entry of `POOLINGS`, and an entry of `STATISTICS` if no statistic there does.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from bench.embed.layers import layer_index
from bench.errors import PluginError, UsageError
from bench.types import LAYERS, UNPOOLED, Embeddings, Frames, Layer, Statistics, View

EXACT_FRAMES = 2000
"""Largest number of frames that is summed in float32; more frames are summed in float64."""

Values: TypeAlias = npt.NDArray[np.floating]
"""One statistic of every layer, shape=(n_layers, dim)."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Statistics of the windows that a long clip is cut into.

    Parameters
    ----------
    weights : np.ndarray, shape=(n_windows,), dtype=float64
        Share of the clip's frames in each window; the sum is 1.
    statistics : Mapping[str, np.ndarray]
        Name of a statistic -> shape=(n_windows, n_layers, dim), dtype=float64.
    """

    weights: npt.NDArray[np.float64]
    statistics: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Statistic:
    """A function of frames over time.

    Parameters
    ----------
    compute : Callable[[Frames], Values]
        Frames of shape=(n_layers, n_frames, dim) -> shape=(n_layers, dim).
    merge : Callable[[Windows], Values] | None
        Statistics of a clip's windows -> those of the clip; None computes the statistic from all frames of
        the clip, which then stay in memory until its last window.
    """

    compute: Callable[[Frames], Values]
    merge: Callable[[Windows], Values] | None = None


def _dtype(layers: Frames) -> type[np.floating]:
    """Return a type in which sums over the frames keep their digits."""
    return np.float32 if layers.shape[1] <= EXACT_FRAMES else np.float64


def _mean(layers: Frames) -> Values:
    return np.asarray(layers.mean(axis=1, dtype=_dtype(layers)))


def _std(layers: Frames) -> Values:
    deviations = np.subtract(layers, _mean(layers)[:, np.newaxis], dtype=_dtype(layers))
    np.square(deviations, out=deviations)
    return np.asarray(np.sqrt(deviations.mean(axis=1)))


def _merge_means(windows: Windows) -> Values:
    return np.asarray(np.einsum("w,wld->ld", windows.weights, windows.statistics["mean"]))


def _merge_stds(windows: Windows) -> Values:
    """Return the standard deviation of all frames.

    Variances are combined as in Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for
    computing sample variances", 1979.
    """
    mean, std = windows.statistics["mean"], windows.statistics["std"]
    squares = std**2 + (mean - _merge_means(windows)) ** 2
    return np.asarray(np.sqrt(np.einsum("w,wld->ld", windows.weights, squares)))


STATISTICS: Mapping[str, Statistic] = {
    "mean": Statistic(_mean, _merge_means),
    "std": Statistic(_std, _merge_stds),
    "max": Statistic(
        lambda layers: layers.max(axis=1), lambda windows: windows.statistics["max"].max(axis=0)
    ),
    "first": Statistic(lambda layers: layers[:, 0], lambda windows: windows.statistics["first"][0]),
}
"""Statistics over time, in the order of the second axis of `Statistics`; all are computed in one pass."""

POOLINGS: Mapping[str, Sequence[str]] = {
    "mean": ["mean"],
    "std": ["std"],
    "mean+std": ["mean", "std"],
    "max": ["max"],
    "first": ["first"],
}
"""Name of a pooling -> the statistics that it concatenates."""


def parse(text: str) -> View:
    """Return the view that ``layer=N@pool=NAME`` describes; either part may be missing.

    Raises
    ------
    UsageError
        If a part names no layer or no pooling.

    Examples
    --------
    >>> parse("layer=9@pool=max")
    View(layer=9, pool='max')
    """
    view = View()
    names_seen: set[str] = set()
    for part in text.split("@") if text else ():
        name, _, value = part.partition("=")
        if name in names_seen:
            raise UsageError(f"view '@{text}' gives {name} twice; expected one of them")
        names_seen.add(name)
        if name == "layer" and value.isdecimal():
            view = replace(view, layer=int(value))
        elif name == "layer" and value in LAYERS:
            view = replace(view, layer=cast("Layer", value))
        elif name == "pool" and value in names():
            view = replace(view, pool=value)
        else:
            layers, pools = "|".join(LAYERS), "|".join(names())
            raise UsageError(f"view '@{part}' is unknown; expected @layer=N|{layers} or @pool={pools}")
    return view


def names() -> list[str]:
    """Return what ``@pool=NAME`` takes: every pooling, and none for frames."""
    return [*POOLINGS, UNPOOLED]


def summarise(layers: Frames) -> Statistics:
    """Return every statistic of every layer, so that no other view needs the frames again.

    Parameters
    ----------
    layers : Frames
        As `layers.as_layers` returns them.

    Returns
    -------
    Statistics
        shape=(n_layers, n_statistics, dim). The mean over several layers comes after the last hidden state.

    Raises
    ------
    PluginError
        If a frame is not finite.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # the check below reports them
        arrays = _with_mean(layers)
        statistics = _stack([_compute(statistic, arrays) for statistic in STATISTICS.values()])
    if not np.isfinite(statistics).all():
        raise PluginError("returned frames that are not all finite")
    return statistics


def _with_mean(layers: Frames) -> Sequence[Frames]:
    """Return the layers, and the mean over them as one layer more if there are several.

    Frames are averaged, and not statistics: a mean of standard deviations is no standard deviation.
    """
    return [layers] if len(layers) == 1 else [layers, layers[:-1].mean(axis=0, keepdims=True)]


def _compute(statistic: Statistic, arrays: Sequence[Frames]) -> Values:
    """Return a statistic of every layer of some arrays, shape=(n_layers, dim)."""
    return np.concatenate([statistic.compute(layers) for layers in arrays])


def _stack(columns: Sequence[Values]) -> Statistics:
    return np.stack(columns, axis=1).astype(np.float32, copy=False)


def needs_frames() -> bool:
    """Return whether a statistic of a clip cannot be merged from those of its windows."""
    return any(statistic.merge is None for statistic in STATISTICS.values())


def merge(parts: Sequence[tuple[int, Statistics]], windows: Sequence[Frames] = ()) -> Statistics:
    """Return the statistics of a clip from those of its windows.

    Parameters
    ----------
    parts : Sequence[tuple[int, Statistics]]
        Number of frames and statistics of each window, in the order of time.
    windows : Sequence[Frames]
        Frames of each window, as `layers.as_layers` returns them; needed if `needs_frames`.
    """
    if len(parts) == 1:
        return parts[0][1]
    weights = np.array([n_frames for n_frames, _ in parts], dtype=np.float64)
    weights /= weights.sum()
    stacks = np.stack([part for _, part in parts]).astype(np.float64).transpose(2, 0, 1, 3)
    merged = Windows(weights, dict(zip(STATISTICS, stacks, strict=True)))
    arrays = _with_mean(np.concatenate(windows, axis=1)) if needs_frames() else []
    return _stack(
        [
            statistic.merge(merged) if statistic.merge else _compute(statistic, arrays)
            for statistic in STATISTICS.values()
        ]
    )


def select(statistics: Sequence[Statistics], view: View) -> Embeddings:
    """Return one vector per clip, shape=(n_clips, dim * number of statistics in the pooling).

    Parameters
    ----------
    statistics : Sequence[Statistics]
        One array per clip, in the order of `STATISTICS`.

    Raises
    ------
    UsageError
        If the extractor does not return the layer.
    """
    row = _row(view, _n_layers(statistics))
    return np.stack([clip[row, _columns(view)].ravel() for clip in statistics])


def every_layer(statistics: Sequence[Statistics], view: View) -> Embeddings:
    """Return the pooled vectors of every layer, shape=(n_clips, n_layers, dim * n_statistics)."""
    n_layers = _n_layers(statistics)
    return np.stack([clip[:n_layers, _columns(view)].reshape(n_layers, -1) for clip in statistics])


def used(views: Collection[View], n_rows: int) -> npt.NDArray[np.bool_]:
    """Return which statistics some views see, shape=(n_rows, n_statistics).

    A layer that the extractor does not return is left out; `select` names it.

    Parameters
    ----------
    n_rows : int
        Length of the first axis of `Statistics`.
    """
    mask = np.zeros((n_rows, len(STATISTICS)), bool)
    n_layers = max(n_rows - 2, 1)
    for view in views:
        if view.pool == UNPOOLED:
            continue
        with suppress(UsageError):
            layers = slice(n_layers) if view.layer in {"all", "best"} else _row(view, n_layers)
            mask[layers, _columns(view)] = True
    return mask


def _row(view: View, n_layers: int) -> int:
    """Return the position of a view's layer on the first axis of `Statistics`."""
    return -1 if view.layer == "mean" else layer_index(view.layer, n_layers)


def _n_layers(statistics: Sequence[Statistics]) -> int:
    return max(len(statistics[0]) - 2, 1)


def _columns(view: View) -> list[int]:
    """Return the indices of a pooling's statistics."""
    order = list(STATISTICS)
    return [order.index(name) for name in POOLINGS[view.pool]]
