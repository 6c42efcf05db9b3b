"""What can be run: specs of extractors, heads and reducers, and views of embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

LAYERS = ("last", "mean", "all", "best")


UNPOOLED = "none"
"""The name of no pooling, for a head that sees frames."""


Layer = int | Literal["last", "mean", "all", "best"]
"""A layer by its number, the last hidden state, the mean over the layers, every layer by itself, or the layer
that inner folds of the training side choose."""


@dataclass(frozen=True, slots=True)
class View:
    """The layer and the pooling that turn frames into the vector that a clip head sees."""

    layer: Layer = "last"
    pool: str = "mean+std"


TUNED = "@tuned"
"""Behind the name of a tuned head, where identities have names."""


BASELINE = "dummy"
"""Head in every table: its score is that of a guess without the audio."""


Kind = Literal["extractor", "head", "reducer"]
"""Kind of a spec."""


Unit = Literal["clip", "frame", "sequence", "layers"]
"""Input of a head per clip: a pooled vector, single frames, all frames, or a pooled vector per layer."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Facts of published weights.

    Parameters
    ----------
    name : str
        Id at the hub.
    licence : str
        SPDX identifier.
    parameters : int
        Number of parameters of the whole checkpoint; an extractor may use a part.
    rate : int
        Sample rate of the audio, in Hz.
    data : str
        Training data.
    citation : str
        Authors, title, venue and year of the paper.
    model_type : str
        Type of the model in config.json; empty if unknown.
    layers : int
        Number of layers, without the input of the first one; 0 for a network that returns its output alone.
    dim : int
        Number of values of a frame; 0 if unknown.
    source : str
        File that declares it.
    """

    name: str
    licence: str
    parameters: int
    rate: int
    data: str
    citation: str
    model_type: str = ""
    layers: int = 0
    dim: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """Layers that a kind of transformer runs by default, when the user names none.

    Parameters
    ----------
    name : str
        Model type in config.json.
    layers : tuple[float | Literal["last", "mean"], ...]
        Names, or depths in [0, 1]: 0 is the input of the first layer, 1 the output of the last one.
    evidence : str
        Where the choice comes from.
    source : str
        File that declares it.
    """

    name: str
    layers: tuple[float | Literal["last", "mean"], ...]
    evidence: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """An extractor, a head or a reducer before its code is imported.

    Parameters
    ----------
    factory : str
        ``module:attribute``; called with `params`.
    requires : tuple[str, ...]
        Distributions that it needs; their versions are part of its identity.
    source : str
        File, distribution or option that declares it.
    root : str
        Folder whose modules `factory` may name besides the installed ones; empty for none.
    unit : Unit
        Input of a head per clip.
    steps : tuple[str, ...]
        Reducers before a head.
    scale : bool
        Standardise the features of a head.
    limit : float
        Largest absolute value of a standardised feature, in standard deviations; 0 for no limit.
    grid : Mapping[str, Any]
        Parameter of a head -> values that ``--tune`` chooses from.
    preprocess : tuple[str, ...]
        Steps of `bench.preprocess` before an extractor.
    weights : str
        Folder, file or id at the hub; `factory` gets the path as `checkpoint`, and `device` and `precision`.
    pool : str
        Pooling of an extractor where the user names none; empty for that of `View`.
    offered : bool
        Run it by default, when the user names no extractors or heads.
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
    limit: float = 0.0
    grid: Mapping[str, Any] = field(default_factory=dict)
    preprocess: tuple[str, ...] = ()
    weights: str = ""
    pool: str = ""
    offered: bool = True

    @property
    def is_tuned(self) -> bool:
        """Return whether a planned head searches its grid; plans leave the grid of any other head empty."""
        return bool(self.grid)

    @property
    def identity_name(self) -> str:
        """Return the name of its identity in the record of a run."""
        return identity_name(self.name, is_tuned=self.is_tuned)


def identity_name(name: str, *, is_tuned: bool) -> str:
    """Return the name of an extractor's or a head's identity in the record of a run.

    Examples
    --------
    >>> identity_name("svm", is_tuned=True)
    'svm@tuned'
    """
    return f"{name}{TUNED}" if is_tuned else name
