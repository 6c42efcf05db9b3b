"""Normalisation: an extractor's vectors -> unit vectors, by a centre and a scale that never change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from bench.errors import UsageError, one_line
from bench.types import Embeddings

NORMALISATION = "normalisation.safetensors"


@dataclass(frozen=True, slots=True, eq=False)
class Normalisation:
    """The centre and the scale of an index.

    Parameters
    ----------
    centre, scale : np.ndarray, shape=(dim,), dtype=float32
    """

    centre: npt.NDArray[np.float32]
    scale: npt.NDArray[np.float32]

    @classmethod
    def fit(cls, vectors: Embeddings) -> Normalisation:
        """Return the means and the standard deviations of vectors, shape=(n, dim).

        A feature that is constant keeps its scale, and so adds nothing to a similarity.
        """
        wide = vectors.astype(np.float64)
        scale = wide.std(axis=0)
        scale[scale <= np.finfo(np.float32).eps * np.abs(wide).max(axis=0, initial=0)] = 1
        return cls(wide.mean(axis=0).astype(np.float32), scale.astype(np.float32))

    @classmethod
    def nothing(cls, dim: int) -> Normalisation:
        """Return what only scales vectors of a length to unit length."""
        return cls(np.zeros(dim, np.float32), np.ones(dim, np.float32))

    def apply(self, vectors: Embeddings) -> Embeddings:
        """Return unit vectors, shape=(n, dim); a vector at the centre stays zero, and is like nothing."""
        standardised = (vectors.astype(np.float64) - self.centre) / self.scale
        lengths = np.linalg.norm(standardised, axis=1, keepdims=True)
        return (standardised / np.where(lengths > 0, lengths, 1)).astype(np.float32)

    def content(self) -> bytes:
        """Return the content of its file."""
        content: bytes = safetensors.numpy.save({"centre": self.centre, "scale": self.scale})
        return content

    @classmethod
    def read(cls, path: Path, dim: int) -> Normalisation:
        """Return what `content` was written to a file.

        Raises
        ------
        UsageError
            If there is no such file, it is damaged, or of vectors of another length.
        """
        try:
            arrays = safetensors.numpy.load_file(path)
            centre, scale = arrays["centre"], arrays["scale"]
        except (OSError, KeyError, ValueError, safetensors.SafetensorError) as error:
            raise UsageError(
                f"{path}: cannot be read ({one_line(error)}); restore it, or build the index again"
            ) from error
        if not centre.shape == scale.shape == (dim,):
            raise UsageError(
                f"{path}: has vectors of {centre.shape} and {scale.shape}; expected {dim}; restore it, or "
                "build the index again"
            )
        return cls(centre, scale)
