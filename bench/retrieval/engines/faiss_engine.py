"""What the engines of faiss share: their files, which ids they hold, filters, and the re-ranking."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.catalog.requirements import installation
from bench.errors import UnavailableError, UsageError, message
from bench.files import replacing
from bench.retrieval.engines.exact import nearest
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

STRUCTURE = "index.faiss"
MEMBERS = "members.npy"

Members = npt.NDArray[np.bool_]
"""Whether a row of the index is in the engine, shape=(n_rows,)."""


class FaissEngine:
    """A structure of faiss with the ids that are in it; a subclass creates the structure and asks it.

    Parameters
    ----------
    folder : Path
        What `save` wrote is read from there.
    vectors : Embeddings
        Vectors of the index, shape=(n_rows, dim); the id of a vector is its row.

    Raises
    ------
    UnavailableError
        If faiss is not installed.
    UsageError
        If a file is damaged.
    """

    def __init__(self, folder: Path, vectors: Embeddings) -> None:
        self._folder = folder
        self._vectors = vectors
        self._members: Members = np.zeros(len(vectors), np.bool_)
        self._structure: Any = None
        if (folder / MEMBERS).exists():
            self._load()

    def add(self, ids: Ids, vectors: Embeddings) -> None:
        """Add vectors, shape=(n, dim), under new ids."""
        if self._structure is None:
            self._structure = self._create()
        self._structure.add_with_ids(np.ascontiguousarray(vectors, np.float32), ids)
        self._members[ids] = True

    def remove(self, ids: Ids) -> None:
        """Remove ids: they are never returned again, though what stands for them may stay."""
        self._members[ids[ids < self._members.size]] = False

    def search(self, queries: Embeddings, k: int, allowed: Ids | None = None) -> tuple[Scores, Ids]:
        """Return the nearest vectors of every query; see `bench.types.Engine`.

        Queries for which the structure gives too few of the allowed ids are searched exactly.
        """
        members = self._members
        if allowed is not None:
            members = np.zeros_like(members)
            members[allowed] = True
            members &= self._members
        n_members = int(members.sum())
        if not n_members:
            return nearest(self._vectors, queries, k, np.flatnonzero(members))
        selector = None
        if n_members < self._structure.ntotal:
            selector = library().IDSelectorBitmap(np.packbits(members, bitorder="little"))
        scores, ids = self._ask(np.ascontiguousarray(queries, np.float32), k, selector, n_members)
        short = ids[:, min(k, n_members) - 1] < 0
        if short.any():
            scores[short], ids[short] = nearest(self._vectors, queries[short], k, np.flatnonzero(members))
        return scores, ids

    def save(self) -> None:
        """Write the structure and its ids."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._structure is not None:
            with replacing(self._folder / STRUCTURE) as part:
                library().write_index(self._structure, os.fspath(part))
        with replacing(self._folder / MEMBERS) as part, part.open("wb") as file:
            np.save(file, np.packbits(self._members), allow_pickle=False)

    def _load(self) -> None:
        """Read what `save` wrote."""
        try:
            bits = np.unpackbits(np.load(self._folder / MEMBERS, allow_pickle=False)).astype(np.bool_)
            if bits.any():
                self._structure = library().read_index(os.fspath(self._folder / STRUCTURE))
        except (OSError, ValueError, EOFError, RuntimeError) as error:  # faiss raises the last
            raise UsageError(
                f"{self._folder}: is damaged ({message(error)[:200]}); delete it: it is written again by the "
                "next `bench index add`"
            ) from error
        self._members[: bits.size] = bits[: self._members.size]

    def _create(self) -> Any:
        """Return an empty structure."""
        raise NotImplementedError

    def _ask(self, queries: Embeddings, k: int, selector: Any, n_members: int) -> tuple[Scores, Ids]:
        """Return the nearest vectors among those that a selector passes, None for all of the structure.

        Parameters
        ----------
        n_members : int
            Number of ids that the selector passes.
        """
        raise NotImplementedError

    def _effort(self, n_members: int) -> float:
        """Return how many times as many vectors must be visited, for as many of them to pass a filter."""
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
