"""Interfaces of plugins: what an extractor and a head must have, and what they may have."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self, runtime_checkable

from bench.types.arrays import Audio, Frames, Labels, Samples


@runtime_checkable
class Extractor(Protocol):
    """Audio -> frames. Any class with these members is an extractor; it needs no base class.

    The fields of `Traits` are optional attributes. An optional method is `encode(audio)`: what `embed`
    returns, and the last hidden states of the padded clips, shape=(n_clips, n_positions, dim), from which a
    transcriber with the same weights goes on.

    Attributes
    ----------
    sample_rate : int
        Rate of the audio that `embed` gets, in Hz.
    dim : int
        Number of values in a frame.
    """

    sample_rate: int
    dim: int

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array per clip, in their order.

        The frames of a clip must not depend on the other clips, and the clips must not be modified.

        Parameters
        ----------
        audio : Sequence[Audio]
            Clips of any length, each of shape=(n_samples,), in [-1, 1].

        Returns
        -------
        Sequence[Frames]
            Each of shape=(n_frames, dim), or (dim,) for a single frame; with `Traits.n_layers`,
            shape=(n_layers, n_frames, dim), or one layer more if the last hidden state follows.

        Raises
        ------
        MemoryError
            If the clips are too many at once; they come again in smaller batches.
        """
        ...


@dataclass(frozen=True, slots=True)
class Traits:
    """Optional attributes of an extractor, with the defaults for those that it does not have.

    Parameters
    ----------
    max_seconds : float
        Longest clip that `embed` accepts, in s; a longer clip is cut into windows. 0 for no limit.
    padded_seconds : float
        Length to which `embed` pads every clip, in s; a clip in a batch counts as at least that long.
    batch_seconds : float
        Audio in a batch, in s.
    concurrent : bool
        Whether several threads may call `embed` at once.
    n_params : int | None
        Number of parameters of the network, for the report; None if unknown.
    n_layers : int | None
        Number of layers that `embed` returns; None for an extractor without layers.
    """

    max_seconds: float = 0.0
    padded_seconds: float = 0.0
    batch_seconds: float = 300.0
    concurrent: bool = False
    n_params: int | None = None
    n_layers: int | None = None

    @classmethod
    def of(cls, extractor: Extractor) -> Self:
        """Return the traits of an extractor: its attributes, or else the defaults.

        Examples
        --------
        >>> class Waveform:
        ...     sample_rate, dim, concurrent = 16_000, 1, True
        >>> Traits.of(Waveform()).concurrent, Traits.of(Waveform()).n_layers
        (True, None)
        """
        names = (field.name for field in fields(cls))
        return cls(**{name: getattr(extractor, name) for name in names if hasattr(extractor, name)})


class Head(Protocol):
    """A classifier with the interface of scikit-learn; every fold gets a new one.

    Optional members:

    - `predict_proba(X)` or `decision_function(X)`: scores, shape=(n_clips, n_classes), for metrics that need
      them, with their columns in `classes_`;
    - `fit(X, y, groups)`: the group of every clip, shape=(n_clips,), for an inner split;
    - `assign(X)`: the cluster of every clip, shape=(n_clips,), integers from 0;
    - the parameters `random_state` and `device` of scikit-learn's `set_params`.
    """

    def fit(self, X: Samples, y: Labels) -> Self:
        """Fit to the training clips of a fold, and return the head."""
        ...

    def predict(self, X: Samples) -> Labels:
        """Return one label per clip."""
        ...
