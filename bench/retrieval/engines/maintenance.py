"""Maintenance: an engine is built, tuned and measured with an index, and follows its changes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.retrieval.card import EngineCard, IndexCard
from bench.retrieval.engines.exact import rows_of
from bench.retrieval.engines.marker import Marker, Rows, read_marker, remove_marker, write_marker
from bench.retrieval.engines.names import EXACT, choose, create
from bench.retrieval.engines.neighbours import FOLDER
from bench.retrieval.engines.recall import FEWEST_QUERIES, N_QUERIES, Reference, measure
from bench.retrieval.engines.tuning import tune
from bench.types import Embeddings
from bench.types.retrieval import Engine, Ids

RECALL = 0.95
"""Recall that a search is tuned to if nothing else is asked for."""

HELD_SHARE = 0.2
"""Largest share of the vectors that are held out for queries."""

MOST_BEHIND = 10_000
"""Number of changes up to which the files of an engine stay as they are; see also `BEHIND_SHARE`."""

BEHIND_SHARE = 0.05
"""Changes per id of an engine up to which its files stay as they are."""

MOST_CHANGE = 2
"""Factor by which an engine grows or shrinks before it is built again."""

BLOCK = 2**16
"""Number of vectors that are added at once."""


def build(path: Path, card: IndexCard, rows: Rows, recall: float = RECALL) -> IndexCard:
    """Write the engine of an index; return its card with the engine's parameters and its recall.

    Some vectors are held out while the engine is tuned and measured: half of them are queries to tune it,
    the others to measure it.

    Parameters
    ----------
    path : Path
        Folder of the index, of which the caller holds the lock.
    card : IndexCard
        Its engine may be ``auto``.
    recall : float
        Share of the 10 exact neighbours that a search is tuned to return, in (0, 1).

    Raises
    ------
    BenchError
        If there is no such engine, or something that it needs is missing.
    OSError
        If its files cannot be written.
    """
    vectors, ids = np.asarray(rows.vectors), rows.ids
    name = choose(card.engine.name, len(ids))
    card = replace(card, engine=replace(card.engine, name=name), recall=None)
    n_held = 2 * min(N_QUERIES, int(HELD_SHARE * len(ids)) // 2)
    held = np.random.default_rng(0).choice(ids, n_held, replace=False)
    others = np.setdiff1d(ids, held, assume_unique=True)
    engine = _empty(path, card, rows)
    _add(engine, vectors, others)
    if n_held >= 2 * FEWEST_QUERIES:
        tuning, measuring = (Reference.of(vectors, vectors[half], others) for half in np.split(held, 2))
        parameters = {**card.engine.parameters, **tune(engine, tuning, recall)}
        card = replace(card, engine=EngineCard(name=name, parameters=parameters))
        card = replace(card, recall=measure(engine, measuring))
    _add(engine, vectors, np.sort(held))
    if name == EXACT:
        return card
    marker = _save(engine, path, Marker.of(card, rows, len(ids)))
    if card.recall is None:
        return card
    return replace(card, recall=replace(card.recall, bytes_per_vector=marker.size / len(ids)))


def update(path: Path, card: IndexCard, rows: Rows) -> None:
    """Let the engine of an index follow its changes, if these are many; its files are repaired, too.

    A search compares a few new vectors one by one, and leaves out what was removed. An engine that has
    doubled or lost half since it was built is built again, with its parameters.

    Parameters
    ----------
    path : Path
        Folder of the index, of which the caller holds the lock.

    Raises
    ------
    BenchError
        If there is no such engine, or something that it needs is missing.
    OSError
        If its files cannot be written.
    """
    if card.engine.name == EXACT:
        return
    folder, ids = path / FOLDER, rows.ids
    marker = read_marker(folder)
    if marker is None or not marker.is_of(card, folder) or marker.changed(folder):
        _rebuild(path, card, rows)
        return
    n_old = int(np.searchsorted(ids, marker.n_rows))
    n_changes = len(ids) - n_old + marker.n_ids - n_old
    if n_changes <= max(MOST_BEHIND, BEHIND_SHARE * marker.n_ids):
        return
    if not marker.n_built / MOST_CHANGE < len(ids) < marker.n_built * MOST_CHANGE:
        _rebuild(path, card, rows)
        return
    engine = create(card.engine, folder, np.asarray(rows.vectors))
    remove_marker(folder)
    engine.remove(np.setdiff1d(np.arange(marker.n_rows), ids, assume_unique=True))
    _add(engine, np.asarray(rows.vectors), ids[n_old:])
    _save(engine, path, Marker.of(card, rows, marker.n_built))


def damage(path: Path, card: IndexCard) -> list[str]:
    """Return the files of an index's engine that have changed since they were saved.

    Their paths are relative to the folder of the index. An engine that is absent or unfinished has none.

    Raises
    ------
    UsageError
        If a file cannot be read.
    """
    folder = path / FOLDER
    marker = read_marker(folder)
    if marker is None or card.engine.name == EXACT:
        return []
    return [f"{FOLDER}/{name}" for name in marker.changed(folder)]


def _rebuild(path: Path, card: IndexCard, rows: Rows) -> None:
    """Write the engine of an index from nothing, with its parameters."""
    engine = _empty(path, card, rows)
    _add(engine, np.asarray(rows.vectors), rows.ids)
    _save(engine, path, Marker.of(card, rows, len(rows.ids)))


def _empty(path: Path, card: IndexCard, rows: Rows) -> Engine:
    """Return a new engine, in a folder without files."""
    folder = path / FOLDER
    if folder.exists():
        remove_marker(folder)
        shutil.rmtree(folder)
    return create(card.engine, folder, np.asarray(rows.vectors))


def _add(engine: Engine, vectors: Embeddings, ids: Ids) -> None:
    """Add rows to an engine, in blocks."""
    for start in range(0, len(ids), BLOCK):
        part = ids[start : start + BLOCK]
        engine.add(part, rows_of(vectors, part))


def _save(engine: Engine, path: Path, marker: Marker) -> Marker:
    """Write the files of an engine, and its marker, which is returned."""
    engine.save()
    return write_marker(path / FOLDER, marker)
