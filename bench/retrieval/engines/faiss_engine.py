"""What the engines of faiss share: their file, and filters."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from bench.catalog.requirements import installation
from bench.errors import UnavailableError
from bench.files import replacing
from bench.retrieval.engines.members import MemberEngine, Members
from bench.types import Embeddings
from bench.types.retrieval import Ids

STRUCTURE = "index.faiss"


class FaissEngine(MemberEngine):
    """A structure of faiss; a subclass creates and asks it.

    Raises
    ------
    UnavailableError
        If faiss is not installed.
    """

    _structure: Any = None

    def _insert(self, ids: Ids, vectors: Embeddings) -> None:
        if self._structure is None:
            self._structure = self._create()
        self._structure.add_with_ids(vectors, ids)

    def _read(self) -> None:
        self._structure = library().read_index(os.fspath(self._folder / STRUCTURE))

    def _write(self) -> None:
        with replacing(self._folder / STRUCTURE) as part:
            library().write_index(self._structure, os.fspath(part))

    def _create(self) -> Any:
        """Return an empty structure."""
        raise NotImplementedError

    def _selector(self, members: Members, n_members: int) -> Any:
        """Return what lets a search return members alone; None if that is all of the structure."""
        if n_members == self._structure.ntotal:
            return None
        return library().IDSelectorBitmap(np.packbits(members, bitorder="little"))

    def _effort(self, n_members: int) -> float:
        """Return how many times as many vectors must be visited, for as many of them to be members."""
        return float(self._structure.ntotal / n_members)


def library() -> Any:
    """Return faiss.

    Raises
    ------
    UnavailableError
        If it is not installed.
    """
    try:
        import faiss  # optional, and takes half a second
    except ImportError as error:
        raise UnavailableError(
            f"this engine needs faiss: {installation('search')}, or build the index with --engine exact"
        ) from error
    return faiss
