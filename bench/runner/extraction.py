"""What the evaluation of a cell needs, and its embeddings from the cache, which the next cells use again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.embed import pooling
from bench.embed.cache import Cache, ClipEmbedding
from bench.embed.shards import read_embeddings
from bench.errors import UsageError
from bench.learn.normalisation import normalise
from bench.learn.pipeline import ReducerCache
from bench.runner.planning import FRAMED, Problem
from bench.types import Cell, Embeddings, Frames, Samples, Usage


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """A cell with everything that its evaluation needs.

    Parameters
    ----------
    run : str
        A token that the units of one run share.
    cache : str
        Root of the cache.
    digest : str
        Digest that the cache keeps the extractor's embeddings under.
    identity : Mapping[str, Any]
        Everything that changes the extractor's embeddings.
    clips : np.ndarray, shape=(n_clips,)
        Names of the dataset's clips.
    contents, copies
        See `Source`.
    bad : frozenset[str]
        Contents that cannot be decoded.
    device : str
        Device of heads that are networks.
    models : Path | None
        Folder for the fitted models; None if they are not saved.
    folders : tuple[str, ...]
        Folders of this machine, which their card does not name.
    select : bool
        Whether to score the head in inner folds too.
    """

    run: str
    cell: Cell
    problem: Problem
    cache: str
    digest: str
    identity: Mapping[str, Any]
    clips: npt.NDArray[np.object_]
    contents: Sequence[str]
    copies: Sequence[Sequence[str]]
    bad: frozenset[str]
    device: str
    models: Path | None
    folders: tuple[str, ...]
    select: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Extraction:
    """Embeddings of one dataset by one extractor.

    Parameters
    ----------
    decodable : np.ndarray, shape=(n_clips,), dtype=bool
        Clips of the dataset that can be decoded; `passes` holds these alone.
    passes : Sequence[Sequence[ClipEmbedding]]
        Embeddings of the clips, then of each set of augmented copies.
    usage : Usage
        Cost of embedding the clips.
    reducers : dict[object, ReducerCache]
        Fitted reducers for heads that see the same samples.
    samples : dict[object, Sequence[Samples]]
        What the head of the last cell sees of `passes`, by its view and unit.
    """

    decodable: npt.NDArray[np.bool_]
    passes: Sequence[Sequence[ClipEmbedding]]
    audio_s: float
    usage: Usage
    reducers: dict[object, ReducerCache] = field(default_factory=dict)
    samples: dict[object, Sequence[Samples]] = field(default_factory=dict)


_last: dict[object, Extraction] = {}
"""The last extraction of this process: the cells of an extractor follow each other."""


def extraction_of(work: Work) -> Extraction:
    """Return the embeddings in the order of the dataset."""
    key = (work.run, work.cell.dataset, work.digest, work.cell.view)
    if key not in _last:
        _last.clear()
        _last[key] = _read(work)
    return _last[key]


def _read(work: Work) -> Extraction:
    """Return the embeddings in the cache.

    Raises
    ------
    UsageError
        If embeddings were removed or damaged since the clips were embedded.
    """
    passes = [work.contents, *work.copies]
    contents = {content for one_pass in passes for content in one_pass if content}
    by_content = read_embeddings(Cache(work.cache), work.digest, contents, {work.cell.view})
    lost = contents - by_content.keys() - work.bad
    if lost:
        raise UsageError(
            f"{work.cache}: lost {len(lost)} embeddings of '{work.cell.extractor.name}' during the run; "
            "run the same command again"
        )
    decodable = np.array(
        [all(content in by_content for content in clip) for clip in zip(*passes, strict=True)]
    )
    embeddings = [
        [by_content[content] for content, is_there in zip(one_pass, decodable, strict=True) if is_there]
        for one_pass in passes
    ]
    return Extraction(
        decodable=decodable,
        passes=embeddings,
        audio_s=sum(row.audio_s for row in embeddings[0]),
        usage=Usage.total([row.usage for row in embeddings[0]]),
    )


def samples(work: Work, extraction: Extraction) -> Sequence[Samples]:
    """Return what the cell's head sees of the clips and of each set of copies."""
    cell, group = work.cell, work.problem.normalise_group
    key = (cell.view, cell.head.unit)
    if key not in extraction.samples:
        extraction.samples.clear()  # the cells of a view follow each other too
        clips, *copies = (samples_of(cell, rows) for rows in extraction.passes)
        if group is not None:
            clips, *copies = normalise(clips, copies, group[extraction.decodable])
        extraction.samples[key] = [clips, *copies]
    return extraction.samples[key]


def samples_of(cell: Cell, rows: Sequence[ClipEmbedding]) -> Embeddings | Sequence[Frames]:
    """Return what the cell's head sees of some clips."""
    if cell.head.unit in FRAMED:
        return [row.frames[cell.view.layer] for row in rows]
    statistics = [row.statistics for row in rows]
    if cell.head.unit == "layers" or cell.view.layer == "best":
        return pooling.every_layer(statistics, cell.view)
    return pooling.select(statistics, cell.view)
