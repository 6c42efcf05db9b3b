"""What plugins implement."""

from collections.abc import Sequence
from typing import Protocol, Self, runtime_checkable

from bench.types.arrays import Audio, Frames, Labels, Samples


@runtime_checkable
class Extractor(Protocol):
    """Audio -> frames; one with `n_layers` gives every layer, shape=(n_layers, n_frames, dim).

    It may also say, in s, the longest clip that it takes (`max_seconds`; longer ones come in windows), what
    it pads every clip to (`padded_seconds`), how much audio it takes at once (`batch_seconds`; it raises
    MemoryError if that was too much), that several threads may call it at once (`concurrent`), and how many
    parameters its network has (`n_params`).
    """

    sample_rate: int
    dim: int

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array per clip, of clips of any length; no clip's frames depend on the others."""
        ...


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
