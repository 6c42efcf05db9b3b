"""Embeddings for use elsewhere: a row per clip, extractor and view."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import views
from bench.cache import Cache
from bench.errors import ClipError, UsageError
from bench.registry import Registry
from bench.runner import learners
from bench.runner.cached import Embedder, Listener
from bench.runner.record import Counters
from bench.runner.request import Request
from bench.runner.sources import sources_of
from bench.types import UNPOOLED

SUFFIXES = (".parquet", ".npz")


def export(request: Request, declared: Registry, cache: Cache, listener: Listener, path: Path) -> int:
    """Write the embeddings of one dataset, and return how many rows.

    Parameters
    ----------
    path : Path
        A Parquet file with the columns clip, extractor, view, embedding, and, with ``@pool=none``, frame; or
        an .npz file with an array of clips and one of embeddings, shape=(n_clips, dim), per extractor and
        view.

    Raises
    ------
    UsageError
        If the path is neither, or its extractors cannot run here.
    ClipError
        If a clip cannot be decoded.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"--out {path}: expected a file that ends in {' or '.join(SUFFIXES)}")
    [source] = sources_of(request, declared).values()
    embedder = Embedder(cache, (), listener, Counters())
    clips = source.dataset.table["clip"].to_numpy(str)
    arrays: dict[str, Any] = {}
    tables = []
    for learner, view in learners.extractors(request, declared):
        if learner.obstacle:
            raise UsageError(learner.obstacle[1])
        framed = view.pool == UNPOOLED
        embedded, bad = embedder.embeddings(
            source, learner.spec, learner.digest, [view.layer] if framed else ()
        )
        if bad:
            clip, reason = next(iter(bad.items()))
            raise ClipError(f"{len(bad)} clips cannot be decoded, such as {clip}: {reason}")
        rows = [embedded[content] for content in source.contents]
        if framed:
            vectors = [row.frames[view.layer] for row in rows]
        else:
            vectors = [vector[np.newaxis] for vector in views.select([row.statistics for row in rows], view)]
        lengths = [len(vector) for vector in vectors]
        names = {"clip": np.repeat(clips, lengths), "extractor": learner.spec.name, "view": str(view)}
        numbers = {"frame": np.concatenate([np.arange(n) for n in lengths])} if framed else {}
        stacked = np.concatenate(vectors)
        tables.append(pd.DataFrame({**names, **numbers, "embedding": list(stacked)}))
        name = f"{learner.spec.name} {view}"
        arrays |= {name: stacked, **({f"{name} clip": names["clip"]} if framed else {})}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npz":
        np.savez(path, clip=clips, **arrays)
    else:
        pd.concat(tables, ignore_index=True).to_parquet(path.absolute(), index=False)
    return sum(map(len, tables))
