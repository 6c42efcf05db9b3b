"""LanceDB: a database of vectors in a folder or an object store, which several machines can search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bench.catalog.requirements import installation
from bench.errors import UnavailableError, UsageError, message
from bench.files import indented_json, parse_json, replace_text
from bench.retrieval.engines.exact import nothing
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores
from bench.validation import convert

STATE = "lance.json"
"""File in the engine's folder: the version of the table that the engine searches."""

TABLE = "vectors"

FEWEST = 1000
"""Fewest vectors that get an index of LanceDB; fewer are compared one by one."""

PROBES = (2, 5, 10, 20, 40, 80, 160)
"""What `n_probes` may be tuned to."""

REFINEMENTS = (5, 20, 80)
"""What `refinement` may be tuned to."""

MOST_NAMED = 10_000
"""Largest number of ids in a condition of a removal."""


class Lance:
    """A table of LanceDB with an index of a bit per value (IVF, RaBitQ), whose best are ranked exactly.

    Parameters
    ----------
    folder : Path
        What `save` wrote is read from there.
    vectors : Embeddings
        Vectors of the index, shape=(n_rows, dim); the id of a vector is its row.
    uri : str
        Where the table is, such as ``s3://BUCKET/INDEX``; empty for the folder.
    n_probes : int
        Number of lists that a search reads.
    refinement : int
        Number of candidates that are ranked exactly for every neighbour asked for.

    Raises
    ------
    UnavailableError
        If LanceDB is not installed.
    UsageError
        If the table is damaged.
    """

    def __init__(
        self, folder: Path, vectors: Embeddings, *, uri: str = "", n_probes: int = 20, refinement: int = 20
    ) -> None:
        try:
            import lancedb  # optional, and takes a second
        except ImportError as error:
            fix = f"{installation('lancedb')}, or build the index with --engine exact"
            raise UnavailableError(f"this engine needs LanceDB: {fix}") from error
        self._state = folder / STATE
        self._n_rows, self._dim = vectors.shape
        self._database = lancedb.connect(uri or folder)
        self._n_probes = n_probes
        self._refinement = refinement
        self._table: Any = None
        self._is_pinned = False
        self._is_indexed = True
        if self._state.exists():
            try:
                version = convert(parse_json(self._state.read_bytes()), int, str(self._state))
                self._table = self._database.open_table(TABLE)
                self._table.checkout(version)
                self._is_pinned = True
            except (OSError, ValueError, RuntimeError) as error:
                raise UsageError(f"{folder}: cannot be read ({message(error)[:200]}); restore it") from error

    def add(self, ids: Ids, vectors: Embeddings) -> None:
        """Add vectors, shape=(n, dim), under new ids."""
        import pyarrow as pa  # takes a moment

        values = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
        column = pa.FixedSizeListArray.from_arrays(values, self._dim)
        rows = pa.table({"id": pa.array(ids, pa.int64()), "vector": column})
        if self._table is None:
            self._database.drop_table(TABLE, ignore_missing=True)  # a killed writer may have left one
            self._table = self._database.create_table(TABLE, rows)
        else:
            self._latest().add(rows)
        self._is_indexed = False

    def remove(self, ids: Ids) -> None:
        """Remove ids."""
        if self._table is not None:
            for start in range(0, len(ids), MOST_NAMED):
                self._latest().delete(_one_of(ids[start : start + MOST_NAMED]))

    def search(self, queries: Embeddings, k: int, allowed: Ids | None = None) -> tuple[Scores, Ids]:
        """Return the nearest vectors of every query; see `bench.types.Engine`."""
        scores, ids = nothing(len(queries), k)
        if self._table is None or (allowed is not None and not len(allowed)):
            return scores, ids
        self._index()
        condition = self._condition(allowed)
        for row, query in enumerate(np.asarray(queries, np.float32)):
            neighbours = self._ask(query, k, condition)
            scores[row, : len(neighbours)] = 1 - neighbours["_distance"].to_numpy()
            ids[row, : len(neighbours)] = neighbours["id"].to_numpy()
        return scores, ids

    @property
    def settings(self) -> Sequence[Mapping[str, int]]:
        """Return what a search may be tuned to, the fastest first."""
        return [{"n_probes": n, "refinement": factor} for n, factor in product(PROBES, REFINEMENTS)]

    def configure(self, n_probes: int, refinement: int) -> None:
        """Set how thorough a search is."""
        self._n_probes = n_probes
        self._refinement = refinement

    def save(self) -> None:
        """Index what is new in the table, and write which version of it is searched."""
        if self._table is not None:
            self._index()
            self._state.parent.mkdir(parents=True, exist_ok=True)
            replace_text(self._state, indented_json(self._table.version))

    def _index(self) -> None:
        """Index what is new in the table."""
        if self._is_indexed:
            return
        if self._table.list_indices():
            self._table.optimize()
        elif self._table.count_rows() >= FEWEST:
            from lancedb.index import IvfRq  # optional

            self._table.create_index("vector", config=IvfRq(distance_type="dot"))
        self._is_indexed = True

    def _latest(self) -> Any:
        """Return the table to be changed; what a killed writer did to it is undone."""
        if self._is_pinned:
            self._table.restore()
            self._is_pinned = False
        return self._table

    def _ask(self, query: Embeddings, k: int, condition: str) -> Any:
        """Return a table of the nearest vectors, the nearest first.

        Where the lists that are read hold too few, every vector is compared.
        """
        search = self._table.search(query).distance_type("dot").select(["id", "_distance"]).limit(k)
        if condition:
            search = search.where(condition, prefilter=True)
        neighbours = search.nprobes(self._n_probes).refine_factor(self._refinement).to_arrow()
        return neighbours if len(neighbours) == k else search.bypass_vector_index().to_arrow()

    def _condition(self, allowed: Ids | None) -> str:
        """Return what the ids of a search have to fulfil, in SQL; empty for all."""
        if allowed is None:
            return ""
        others = np.setdiff1d(np.arange(self._n_rows), allowed, assume_unique=True)
        return _one_of(allowed) if len(allowed) < len(others) else f"NOT {_one_of(others)}"


def _one_of(ids: Ids) -> str:
    """Return the condition that an id is one of some, in SQL."""
    return f"(id IN ({', '.join(map(str, ids.tolist()))}))" if len(ids) else "(id IS NULL)"
