"""What plugins implement."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self, runtime_checkable

from bench.types.arrays import Audio, Frames, Labels, Samples


@runtime_checkable
class Extractor(Protocol):
    """Audio -> frames: one array per clip.

    An extractor may also have any field of `Traits` as an attribute. One with `n_layers` returns every layer,
    shape=(n_layers, n_frames, dim).
    """

    sample_rate: int
    dim: int

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array per clip, of clips of any length; no clip's frames depend on the others."""
        ...


@dataclass(frozen=True, slots=True)
class Traits:
    """Optional facts of an extractor, with the defaults of one that does not state them.

    Parameters
    ----------
    max_seconds : float
        Longest clip that it takes, in s; a longer clip comes in windows. 0 for any length.
    padded_seconds : float
        Length that it pads every clip to, in s.
    batch_seconds : float
        Audio that it takes at once, in s. It raises MemoryError if that is too much.
    concurrent : bool
        Whether several threads may call it at once.
    n_params : int | None
        Number of parameters of its network.
    n_layers : int | None
        Number of layers that it returns; None for an extractor without layers.
    """

    max_seconds: float = 0.0
    padded_seconds: float = 0.0
    batch_seconds: float = 300.0
    concurrent: bool = False
    n_params: int | None = None
    n_layers: int | None = None

    @classmethod
    def of(cls, extractor: Extractor) -> Self:
        """Return the traits that an extractor states as attributes.

        Examples
        --------
        >>> class Plain:
        ...     sample_rate, dim, concurrent = 16_000, 1, True
        >>> Traits.of(Plain()).concurrent, Traits.of(Plain()).n_layers
        (True, None)
        """
        names = (field.name for field in fields(cls))
        return cls(**{name: getattr(extractor, name) for name in names if hasattr(extractor, name)})


class Head(Protocol):
    """A scikit-learn classifier; a fresh one is built for every fold.

    Its `fit` may also take `groups`, shape=(n_clips,), for an inner split of its own; one that clusters has
    `assign`, which returns the cluster of every row.
    """

    def fit(self, X: Samples, y: Labels) -> Self:
        """Fit on the training side of one fold."""
        ...

    def predict(self, X: Samples) -> Labels:
        """Return one label per sample of X."""
        ...
