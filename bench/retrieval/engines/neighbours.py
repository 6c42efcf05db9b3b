"""Neighbours: search in one state of an index, whatever its engine holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from bench.errors import PluginError, UsageError
from bench.retrieval.card import IndexCard
from bench.retrieval.engines.exact import merge, nearest
from bench.retrieval.engines.marker import Marker, Rows, read_marker
from bench.retrieval.engines.names import EXACT, create, declare
from bench.types import Embeddings
from bench.types.retrieval import Engine, Ids, Scores

MOST_COMPARED = 20_000
"""Largest number of allowed ids that are compared one by one, which takes some ms."""

FOLDER = "engine"
"""Folder of the engine's files in that of the index."""

State = Literal["exact", "whole", "absent", "damaged"]
"""The index has no engine; its files are as they should be; they are not there; they cannot be used."""

REMARKS = {
    "absent": "the engine's files are not there, or are being written: every vector is compared",
    "damaged": "the engine's files are damaged: every vector is compared until the next `bench index add`",
}
"""State of an engine that slows a search -> the remark for people."""


class Neighbours:
    """Finds the nearest vectors of one state of an index.

    What the engine lacks is compared one by one, and what it holds too much is left out, so that the answer
    does not depend on when the engine's files were written.

    Parameters
    ----------
    rows : Rows
        What is there.
    engine : Engine | None
        None to compare every vector.
    marker : Marker | None
        What the engine holds.
    state : State
        How the engine's files are.
    """

    def __init__(self, rows: Rows, engine: Engine | None, marker: Marker | None, state: State) -> None:
        self._vectors = np.asarray(rows.vectors)
        self._ids = rows.ids
        self._engine = engine
        self._marker = marker
        self.state = state

    def search(self, queries: Embeddings, k: int, allowed: Ids | None = None) -> tuple[Scores, Ids]:
        """Return the nearest vectors of every query; see `bench.types.Engine`.

        Parameters
        ----------
        k : int
            At least 1.
        allowed : Ids | None
            Ids of this state, ascending; None for all.
        """
        if self._engine is None or self._marker is None:
            return nearest(self._vectors, queries, k, self._ids if allowed is None else allowed)
        if allowed is not None and len(allowed) <= MOST_COMPARED:
            return nearest(self._vectors, queries, k, allowed)
        ids = self._ids if allowed is None else allowed
        head, tail = np.split(ids, [np.searchsorted(ids, self._marker.n_rows)])
        is_all = (
            allowed is None and len(head) == self._marker.n_ids and self._marker.n_rows <= len(self._vectors)
        )
        neighbours = self._engine.search(queries, k, None if is_all else head)
        return merge(neighbours, nearest(self._vectors, queries, k, tail), k) if len(tail) else neighbours


def open_engine(path: Path, card: IndexCard, rows: Rows) -> Neighbours:
    """Return the search in one state of the index in a folder.

    Raises
    ------
    UnavailableError
        If the engine needs a library that is not installed.
    """
    folder = path / FOLDER
    marker = read_marker(folder)
    try:
        card = replace(card, engine=declare(card.engine, len(rows.ids)))
        if card.engine.name == EXACT:
            return Neighbours(rows, None, None, "exact")
        if marker is None:
            return Neighbours(rows, None, None, "absent")
        is_whole = marker.is_of(card, folder)
        engine = create(card.engine, folder, np.asarray(rows.vectors)) if is_whole else None
    except (OSError, PluginError, UsageError):
        engine = None
    if read_marker(folder) != marker:  # a writer has changed the files meanwhile
        return Neighbours(rows, None, None, "absent")
    return Neighbours(rows, engine, marker, "whole" if engine else "damaged")
