"""Export: embeddings as files for other programs, a row per clip, extractor and view."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench import display
from bench.catalog import Registry, learners
from bench.catalog.learners import Learner
from bench.datasets.index import Source, sources_of
from bench.embed import pooling
from bench.embed.cache import Cache, ClipEmbedding
from bench.embed.shards import ProgressFactory, read_embeddings
from bench.embed.sources import embed_source
from bench.errors import ClipError, UsageError
from bench.request import Request
from bench.types import UNPOOLED, Embeddings, View


@dataclass(frozen=True, slots=True, eq=False)
class ExportRows:
    """The embeddings of a dataset's clips by one extractor and view.

    Parameters
    ----------
    clips : np.ndarray, shape=(n_rows,), dtype=str
        The clip of each row.
    frames : np.ndarray | None, shape=(n_rows,), dtype=int
        The position of each row in its clip; None if a row is a pooled clip.
    embeddings : Embeddings, shape=(n_rows, dim)
    """

    extractor: str
    view: View
    clips: npt.NDArray[np.str_]
    frames: npt.NDArray[np.intp] | None
    embeddings: Embeddings


Clips = npt.NDArray[np.str_]
"""The names of a dataset's clips, shape=(n_clips,)."""


def _write_parquet(path: Path, clips: Clips, exports: Sequence[ExportRows]) -> None:
    """Write a table with the columns clip, extractor, view, frame (of frames), and embedding."""
    tables = []
    for rows in exports:
        columns = {"clip": rows.clips, "extractor": rows.extractor, "view": display.view(rows.view)}
        frames = {} if rows.frames is None else {"frame": rows.frames}
        tables.append(pd.DataFrame({**columns, **frames, "embedding": list(rows.embeddings)}))
    with path.open("wb") as file:
        pd.concat(tables, ignore_index=True).to_parquet(file, index=False)


def _write_npz(path: Path, clips: Clips, exports: Sequence[ExportRows]) -> None:
    """Write an array of clips and one of embeddings per extractor and view, with their clips if frames."""
    arrays: dict[str, npt.NDArray[np.generic]] = {"clip": clips}
    for rows in exports:
        name = f"{rows.extractor} {display.view(rows.view)}"
        arrays[name] = rows.embeddings
        if rows.frames is not None:
            arrays[f"{name} clip"] = rows.clips
    np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the arrays for its options


FORMATS: Mapping[str, Callable[[Path, Clips, Sequence[ExportRows]], None]] = {
    ".parquet": _write_parquet,
    ".npz": _write_npz,
}
"""Suffix of a file -> the function that writes it; docs/extractors.md lists them."""


def export(
    request: Request, declared: Registry, cache: Cache, path: Path, progress_of: ProgressFactory
) -> int:
    """Write the embeddings of one dataset, and return the number of rows.

    Parameters
    ----------
    path : Path
        Its suffix is one of `FORMATS`. With ``@pool=none`` a row is a frame, else a clip.

    Raises
    ------
    UsageError
        If the suffix is unknown, or an extractor cannot run here.
    ClipError
        If a clip cannot be decoded.
    """
    if path.suffix not in FORMATS:
        raise UsageError(f"--out {path}: expected a file that ends in {' or '.join(FORMATS)}")
    [source] = sources_of(request, declared, label="").values()
    table = source.dataset.table
    order = np.argsort(table.index.to_numpy(), kind="stable")  # rows are in the order of the user's file
    clips = table["clip"].to_numpy(str)[order]
    points = learners.extractors(request, declared, pooling.parse)
    by_name: dict[str, Learner] = {}
    views: dict[str, set[View]] = {}
    for learner, view in points:
        if learner.obstacle:
            raise UsageError(display.cell_obstacle(learner.obstacle.why))
        if view.layer == "best":
            raise UsageError("@layer=best: needs labels, as `bench run` has them; expected a layer, or all")
        by_name[learner.spec.name] = learner
        views.setdefault(learner.spec.name, set()).add(view)
    embeddings = {}
    for name, learner in by_name.items():
        in_table = _embed(source, learner, views[name], cache, progress_of)
        embeddings[name] = [in_table[row] for row in order]
    exports = [
        _rows(learner.spec.name, view, clips, embeddings[learner.spec.name]) for learner, view in points
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    FORMATS[path.suffix](path, clips, exports)
    return sum(len(rows.embeddings) for rows in exports)


def _rows(extractor: str, view: View, clips: Clips, embeddings: Sequence[ClipEmbedding]) -> ExportRows:
    """Return a row per clip, or per frame if the view has no pooling."""
    if view.pool != UNPOOLED:
        vectors = pooling.select([embedding.statistics for embedding in embeddings], view)
        return ExportRows(extractor=extractor, view=view, clips=clips, frames=None, embeddings=vectors)
    frames = [embedding.frames[view.layer] for embedding in embeddings]
    n_frames = [len(array) for array in frames]
    return ExportRows(
        extractor=extractor,
        view=view,
        clips=np.repeat(clips, n_frames),
        frames=np.concatenate([np.arange(n) for n in n_frames]),
        embeddings=np.concatenate(frames),
    )


def _embed(
    source: Source,
    learner: Learner,
    views: Collection[View],
    cache: Cache,
    progress_of: ProgressFactory,
) -> Sequence[ClipEmbedding]:
    """Return the embeddings of a source's clips in their order; embed those that the cache lacks."""
    clips = source.bad(embed_source(source, learner, views, cache, progress_of))
    if clips:
        clip, reason = next(iter(clips.items()))
        raise ClipError(f"{len(clips)} clips cannot be decoded, such as {clip}: {reason}")
    embeddings = read_embeddings(cache, learner.digest, source.contents, views)
    return [embeddings[content] for content in source.contents]
