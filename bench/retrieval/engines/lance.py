"""LanceDB: a database of vectors in a folder or an object store, which several machines can search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bench.catalog.requirements import installation
from bench.errors import UnavailableError
from bench.files import indented_json, parse_json, replace_text
from bench.retrieval.engines.exact import nothing
from bench.retrieval.engines.members import MemberEngine, Members
from bench.types import Embeddings
from bench.types.retrieval import Ids, Scores

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

SPARE = 2
"""How many times as many neighbours are asked for as should pass a filter."""

MOST_ASKED = 200
"""Largest number of neighbours that are asked for to pass a filter; if more are needed, a search is exact."""


class Lance(MemberEngine):
    """A table of LanceDB with an index of a bit per value (IVF, RaBitQ), whose best are ranked exactly.

    Parameters
    ----------
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
    """

    def __init__(
        self, folder: Path, vectors: Embeddings, *, uri: str = "", n_probes: int = 20, refinement: int = 20
    ) -> None:
        try:
            import lancedb  # optional, and takes a second
        except ImportError as error:
            fix = f"{installation('lancedb')}, or build the index with --engine exact"
            raise UnavailableError(f"this engine needs LanceDB: {fix}") from error
        self._database = lancedb.connect(uri or folder)
        self._n_probes = n_probes
        self._refinement = refinement
        self._table: Any = None
        self._is_pinned = False
        self._is_indexed = True
        super().__init__(folder, vectors)

    @property
    def settings(self) -> Sequence[Mapping[str, int]]:
        """Return what a search may be tuned to, the fastest first."""
        return [{"n_probes": n, "refinement": factor} for n, factor in product(PROBES, REFINEMENTS)]

    def configure(self, n_probes: int, refinement: int) -> None:
        """Set how thorough a search is."""
        self._n_probes = n_probes
        self._refinement = refinement

    def _insert(self, ids: Ids, vectors: Embeddings) -> None:
        import pyarrow as pa  # takes a moment

        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        rows = pa.table({"id": pa.array(ids, pa.int64()), "vector": column})
        if self._table is None:
            self._database.drop_table(TABLE, ignore_missing=True)  # a killed writer may have left one
            self._table = self._database.create_table(TABLE, rows)
        else:
            self._latest().add(rows)
        self._is_indexed = False

    def _delete(self, ids: Ids) -> None:
        for start in range(0, len(ids), MOST_NAMED):
            names = ", ".join(map(str, ids[start : start + MOST_NAMED].tolist()))
            self._latest().delete(f"id IN ({names})")

    def _ask(self, queries: Embeddings, k: int, members: Members, n_members: int) -> tuple[Scores, Ids]:
        self._index()
        scores, ids = nothing(len(queries), k)
        n_asked = k
        if n_members < self._n_members:  # a condition with all their ids would take seconds
            n_asked = round(SPARE * k * self._n_members / n_members)
            if n_asked > max(k, MOST_ASKED):
                return scores, ids
        for row, query in enumerate(queries):
            search = self._table.search(query).distance_type("dot").select(["id", "_distance"])
            answer = search.limit(n_asked).nprobes(self._n_probes).refine_factor(self._refinement).to_arrow()
            neighbours = answer["id"].to_numpy()
            known = np.flatnonzero(neighbours < members.size)  # a reader of an earlier state has fewer rows
            places = known[members[neighbours[known]]][:k]
            ids[row, : len(places)] = neighbours[places]
            scores[row, : len(places)] = 1 - answer["_distance"].to_numpy()[places]
        return scores, ids

    def _read(self) -> None:
        self._table = self._database.open_table(TABLE)
        self._table.checkout(parse_json((self._folder / STATE).read_bytes()))
        self._is_pinned = True

    def _write(self) -> None:
        self._index()
        replace_text(self._folder / STATE, indented_json(self._table.version))

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
