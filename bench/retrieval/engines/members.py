"""Members: an engine that knows its ids, so that a search of some of them is filled up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.errors import UsageError, message
from bench.files import replacing
from bench.retrieval.engines.exact import nearest
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

MEMBERS = "members.npy"

Members = npt.NDArray[np.bool_]
"""Whether a row of the index is meant, shape=(n_rows,)."""


class MemberEngine:
    """An engine with the ids that are in it; a subclass has the structure that finds neighbours.

    Parameters
    ----------
    folder : Path
        What `save` wrote is read from there.
    vectors : Embeddings
        Vectors of the index, shape=(n_rows, dim); the id of a vector is its row.

    Raises
    ------
    UsageError
        If a file is damaged.
    """

    def __init__(self, folder: Path, vectors: Embeddings) -> None:
        self._folder = folder
        self._vectors = vectors
        self._members: Members = np.zeros(len(vectors), np.bool_)
        self._n_members = 0
        if (folder / MEMBERS).exists():
            self._load()

    def add(self, ids: Ids, vectors: Embeddings) -> None:
        """Add vectors, shape=(n, dim), under new ids."""
        if len(ids):
            self._insert(ids, np.ascontiguousarray(vectors, np.float32))
            self._mark(ids, True)

    def remove(self, ids: Ids) -> None:
        """Remove ids: they are never returned again, though what stands for them may stay."""
        ids = ids[ids < self._members.size]
        ids = ids[self._members[ids]]
        if len(ids):
            self._delete(ids)
            self._mark(ids, False)

    def search(self, queries: Embeddings, k: int, allowed: Ids | None = None) -> tuple[Scores, Ids]:
        """Return the nearest vectors of every query; see `bench.types.Engine`.

        Queries for which the structure gives too few of the allowed ids are searched exactly.
        """
        members, n_members = self._members, self._n_members
        if allowed is not None:
            members = np.zeros_like(members)
            members[allowed] = True
            members &= self._members
            n_members = int(np.count_nonzero(members))
        if not n_members:
            return nearest(self._vectors, queries, k, np.empty(0, np.int64))
        queries = np.ascontiguousarray(queries, np.float32)
        scores, ids = self._ask(queries, k, members, n_members)
        is_short = ids[:, min(k, n_members) - 1] < 0
        if is_short.any():
            rows = np.flatnonzero(members)
            scores[is_short], ids[is_short] = nearest(self._vectors, queries[is_short], k, rows)
        return scores, ids

    def save(self) -> None:
        """Write the structure and its ids."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._n_members:
            self._write()
        with replacing(self._folder / MEMBERS) as part, part.open("wb") as file:
            np.save(file, np.packbits(self._members), allow_pickle=False)

    def _load(self) -> None:
        """Read what `save` wrote."""
        try:
            bits = np.unpackbits(np.load(self._folder / MEMBERS, allow_pickle=False)).astype(np.bool_)
            if bits.any():
                self._read()
        except (OSError, ValueError, EOFError, RuntimeError) as error:  # libraries raise the last
            raise UsageError(
                f"{self._folder}: is damaged ({message(error)[:200]}); delete it: the next `bench index add` "
                "writes it again"
            ) from error
        self._members[: bits.size] = bits[: self._members.size]
        self._n_members = int(np.count_nonzero(self._members))

    def _mark(self, ids: Ids, is_member: bool) -> None:
        """Set whether ids are in the engine."""
        self._members[ids] = is_member
        self._n_members = int(np.count_nonzero(self._members))

    def _insert(self, ids: Ids, vectors: Embeddings) -> None:
        """Add vectors to the structure."""
        raise NotImplementedError

    def _delete(self, ids: Ids) -> None:
        """Remove ids from the structure, if that can be done; no search returns them."""

    def _ask(self, queries: Embeddings, k: int, members: Members, n_members: int) -> tuple[Scores, Ids]:
        """Return the nearest vectors among some members as far as they are easily found.

        Parameters
        ----------
        members : Members
            Those that may be returned, at least one.
        n_members : int
            Their number.
        """
        raise NotImplementedError

    def _read(self) -> None:
        """Read the structure."""
        raise NotImplementedError

    def _write(self) -> None:
        """Write the structure."""
        raise NotImplementedError
