"""Removal: clips out of an index, with all that is known of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.errors import UsageError
from bench.retrieval import selection
from bench.retrieval.engines import maintenance
from bench.retrieval.index import Index


def remove(index: Index, where: str = "", ids: Sequence[int] = ()) -> tuple[int, int]:
    """Remove the clips that fit a condition, and those of chunks; return the numbers of clips and chunks.

    Raises
    ------
    UsageError
        If the condition is malformed, there is no chunk of an id, or the index cannot be written.
    """
    with index.writing() as writer:
        with index.snapshot() as snapshot:
            choice = selection.choice(where)
            chosen = snapshot.matching(choice).tolist() if choice else []
            owners = snapshot.files_of(ids)
        if (owners < 0).any():
            unknown = ids[int(np.argmax(owners < 0))]
            raise UsageError(f"--id {unknown}: is no chunk of {index.path}; nothing was removed")
        files = sorted({*owners.tolist(), *chosen})
        n_chunks = writer.remove(files)
        with index.snapshot() as snapshot:
            maintenance.update(index.path, writer.card, snapshot)
        return len(files), n_chunks
