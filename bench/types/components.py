"""What can be run: specs of extractors, heads and reducers, and views of embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

LAYERS = ("last", "mean", "all")


UNPOOLED = "none"
"""The name of no pooling, for a head that sees frames."""


Layer = int | Literal["last", "mean", "all"]
"""A layer by its number, the last hidden state, the mean over the layers, or each of them."""


@dataclass(frozen=True, slots=True)
class View:
    """The layer and the pooling that turn frames into the vector that a clip head sees.

    Parameters
    ----------
    pool : str
        A name in `bench.embed.pooling.POOLINGS`, or `UNPOOLED`.
    """

    layer: Layer = "last"
    pool: str = "mean+std"

    def __str__(self) -> str:
        """Return the pooling, preceded by the layer unless that is the last one."""
        pool = "frames" if self.pool == UNPOOLED else self.pool
        return pool if self.layer == "last" else f"layer {self.layer}, {pool}"


BASELINE = "dummy"
"""The head that is in every table: what a score is worth without looking at the audio."""


Kind = Literal["extractor", "head", "reducer"]


Unit = Literal["clip", "frame", "sequence", "layers"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was published with weights.

    Parameters
    ----------
    name : str
        The hub's id.
    parameters : int
        Of the whole checkpoint, of which an extractor may use a part.
    rate : int
        Of the audio, in Hz.
    data : str
        What they were trained on.
    """

    name: str
    licence: str
    parameters: int
    rate: int
    data: str
    citation: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """What the registry knows of an extractor, a head or a reducer without importing it.

    Parameters
    ----------
    factory : str
        ``module:attribute``; called with `params`.
    requires : tuple[str, ...]
        Distributions that it needs; their versions are part of its identity.
    source : str
        The file that declares it.
    root : str
        The folder whose modules `factory` may name besides the installed ones; empty for none.
    unit : Unit
        What a head sees of a clip: a pooled vector, single frames, all its frames, or a pooled vector of each
        layer.
    steps : tuple[str, ...]
        The reducers that a head's features go through first.
    scale : bool
        Whether a head's features are standardised.
    grid : Mapping[str, Any]
        The values of a head's parameters that ``--tune`` chooses from.
    preprocess : tuple[str, ...]
        The steps of `bench.preprocess` that an extractor's clips go through first.
    weights : str
        A folder, a file or a hub's id; `factory` gets its place here as `checkpoint`, with `device` and
        `precision`.
    offered : bool
        Whether it runs without being asked for.
    """

    kind: Kind
    name: str
    factory: str
    params: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    about: str = ""
    source: str = ""
    root: str = ""
    unit: Unit = "clip"
    steps: tuple[str, ...] = ()
    scale: bool = True
    grid: Mapping[str, Any] = field(default_factory=dict)
    preprocess: tuple[str, ...] = ()
    weights: str = ""
    offered: bool = True
