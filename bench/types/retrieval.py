"""Protocols of search: engines of nearest neighbours, encoders and writers of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from bench.types.arrays import Audio, Embeddings

Ids = npt.NDArray[np.int64]
"""Ids of chunks, shape=(n,)."""

Scores = npt.NDArray[np.float32]
"""Inner products of unit vectors: cosine similarities in [-1, 1], higher is nearer."""


class Engine(Protocol):
    """Nearest neighbours among unit vectors by their inner product.

    What an engine keeps is derived: an index finds what the engine lacks in its own vectors.
    """

    def add(self, ids: Ids, vectors: Embeddings) -> None:
        """Add vectors, shape=(n, dim), under new ids."""
        ...

    def remove(self, ids: Ids) -> None:
        """Remove vectors; an id that is not there is ignored."""
        ...

    def search(self, queries: Embeddings, k: int, allowed: Ids | None = None) -> tuple[Scores, Ids]:
        """Return the nearest vectors of every query, the nearest first.

        Parameters
        ----------
        queries : Embeddings, shape=(n_queries, dim)
        allowed : Ids | None
            Ids that may be returned, ascending; None for all.

        Returns
        -------
        tuple[Scores, Ids]
            Each of shape=(n_queries, k). Where fewer are there, the score is -inf and the id is -1.
        """
        ...

    def save(self) -> None:
        """Write what the engine keeps to its folder, so that it is there after a power loss."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a chat."""

    role: Literal["system", "user", "assistant"]
    text: str


class LanguageModel(Protocol):
    """Writes text for a chat.

    Attributes
    ----------
    name : str
        What wrote a text, as it is shown beside the text.
    """

    name: str

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> Any:
        """Return the answer to a chat, a JSON value of a JSON Schema.

        Raises
        ------
        LanguageModelError
            If the model is not there, takes too long or writes something else.
        """
        ...


class SentenceEncoder(Protocol):
    """Text -> unit vectors whose inner products are similarities of meaning.

    Attributes
    ----------
    name : str
        Name of the checkpoint, and of what changes its vectors.
    """

    name: str

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Return a unit vector per text, shape=(n_texts, dim)."""
        ...


class Captioner(Protocol):
    """Writes what can be heard.

    Attributes
    ----------
    name : str
        What wrote a caption, as it is shown beside it.
    sample_rate : int
        Rate of the audio that `describe` gets, in Hz.
    """

    name: str
    sample_rate: int

    def describe(self, audio: Audio) -> str:
        """Return the caption of a recording, shape=(n_samples,), in [-1, 1]."""
        ...
