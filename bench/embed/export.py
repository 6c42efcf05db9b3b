"""Embeddings for use elsewhere: a row per clip, extractor and view."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.catalog import Registry, learners
from bench.catalog.learners import Learner
from bench.datasets.index import Source, sources_of
from bench.embed import pooling
from bench.embed.cache import Cache, Embedded
from bench.embed.shards import Tell, embed_shard, embedded, shards
from bench.errors import ClipError, UsageError
from bench.request import Request
from bench.types import UNPOOLED, Layer

Notice = Callable[[str, str, int], Tell]
"""Takes a dataset, an extractor and a number of clips, and returns what takes note of their embedding."""

SUFFIXES = (".parquet", ".npz")


def export(request: Request, declared: Registry, cache: Cache, path: Path, notice: Notice) -> int:
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
    clips = source.dataset.table["clip"].to_numpy(str)
    arrays: dict[str, Any] = {}
    tables = []
    for learner, view in learners.extractors(request, declared):
        if learner.obstacle:
            raise UsageError(learner.obstacle.reason)
        framed = view.pool == UNPOOLED
        rows = _embedded(source, learner, [view.layer] if framed else (), cache, notice)
        if framed:
            vectors = [row.frames[view.layer] for row in rows]
        else:
            vectors = [
                vector[np.newaxis] for vector in pooling.select([row.statistics for row in rows], view)
            ]
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


def _embedded(
    source: Source, learner: Learner, framed: Collection[Layer], cache: Cache, notice: Notice
) -> Sequence[Embedded]:
    """Return the embeddings of a source's clips in their order; what the cache lacks is made."""
    bad: dict[str, str] = {}
    found, _ = shards(source, learner.spec, learner.digest, cache, framed=framed)
    tell = notice(source.dataset.name, learner.spec.name, sum(len(shard.clips) for shard in found))
    for shard in found:
        embedding = embed_shard(shard, tell)
        bad |= embedding.bad
        if embedding.rest:
            raise KeyboardInterrupt
    clips = source.bad(bad)
    if clips:
        clip, reason = next(iter(clips.items()))
        raise ClipError(f"{len(clips)} clips cannot be decoded, such as {clip}: {reason}")
    kept = embedded(cache, learner.digest, source.contents, framed)
    return [kept[content] for content in source.contents]
