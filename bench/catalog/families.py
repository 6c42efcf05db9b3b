"""Default layers of transformers, by the model type of their checkpoint."""

import math
from pathlib import Path
from typing import Literal

from bench.catalog import checkpoints
from bench.catalog.declarations import Registry
from bench.types import Layer, Spec

FACTORIES = ("bench.extractors.auto:", "bench.extractors.transformer:", "bench.extractors.whisper:")
"""Modules of the extractors that return every hidden state of a checkpoint in the format of transformers."""


def default_layers(spec: Spec, declared: Registry) -> list[Layer]:
    """Return the layers that an extractor runs when the user names none: the last one, without a family.

    Parameters
    ----------
    spec : Spec
        An extractor whose parameters hold the path of its weights, if it has weights.
    """
    folder = Path(str(spec.params.get("checkpoint", "")))
    if not (spec.weights and spec.factory.startswith(FACTORIES) and folder.is_dir()):
        return ["last"]
    config = checkpoints.configuration(folder)
    family = declared.families.get(config.model_type or "")
    if family is None or config.n_layers is None:
        return ["last"]
    return list(dict.fromkeys(_layer(depth, config.n_layers) for depth in family.layers))


def _layer(depth: float | Literal["last", "mean"], n_layers: int) -> Layer:
    """Return the layer at a depth, rounded down.

    Examples
    --------
    >>> _layer(0.75, n_layers=5), _layer(0.75, n_layers=7), _layer("mean", n_layers=5)
    (3, 4, 'mean')
    """
    return depth if isinstance(depth, str) else math.floor(depth * (n_layers - 1))
