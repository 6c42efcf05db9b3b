"""Default layers of transformers, by the model type of their checkpoint."""

import math
from pathlib import Path
from typing import Literal

from bench.catalog import checkpoints, layer_counts
from bench.catalog.declarations import Registry
from bench.types import Layer, Spec

FACTORIES = tuple(f"bench.extractors.{name}:" for name in ("auto", "fairseq", "transformer", "whisper"))
"""Modules of the extractors that return every hidden state."""

FAIRSEQ = "fairseq"
"""Name, in place of a model type, of the checkpoints of fairseq: Wav2Vec2 and HuBERT."""


def default_layers(spec: Spec, declared: Registry) -> list[Layer]:
    """Return the layers that an extractor runs when the user names none: the last one, without a family.

    Parameters
    ----------
    spec : Spec
        An extractor whose parameters hold the path of its weights, if it has weights.
    """
    path = Path(str(spec.params.get("checkpoint", "")))
    if not (spec.weights and spec.factory.startswith(FACTORIES) and path.exists()):
        return ["last"]
    model_type = FAIRSEQ if path.is_file() else checkpoints.configuration(path).model_type
    family, n_layers = declared.families.get(model_type or ""), layer_counts.of_checkpoint(path)
    if family is None or n_layers is None:
        return ["last"]
    return list(dict.fromkeys(_layer(depth, n_layers) for depth in family.layers))


def _layer(depth: float | Literal["last", "mean"], n_layers: int) -> Layer:
    """Return the layer at a depth, rounded down.

    Examples
    --------
    >>> _layer(0.75, n_layers=5), _layer(0.75, n_layers=7), _layer("mean", n_layers=5)
    (3, 4, 'mean')
    """
    return depth if isinstance(depth, str) else math.floor(depth * (n_layers - 1))
