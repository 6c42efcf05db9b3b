"""Collection: the clips of a data set, and their vectors by every extractor and view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench import display
from bench.catalog import Registry, learners
from bench.catalog.learners import Learner
from bench.datasets.columns import STRICT
from bench.datasets.index import Source, sources_of
from bench.embed import pooling
from bench.embed.cache import Cache
from bench.embed.shards import ProgressFactory, read_embeddings
from bench.embed.sources import CachedFrames, embed_source
from bench.errors import UsageError
from bench.keys import digest
from bench.request import Request
from bench.types import AUDIO_COLUMNS, UNPOOLED, Clip, Embeddings, Frames, Layer, View

DEFAULT_EXTRACTORS = ("mfcc",)


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """The vectors of a collection by one extractor and view.

    Parameters
    ----------
    vectors : Embeddings, shape=(n_clips, dim)
        In the order of the collection's clips.
    key : str
        Digest of everything that changes the vectors.
    """

    learner: Learner
    view: View
    vectors: Embeddings
    key: str

    @property
    def name(self) -> str:
        """Return the extractor with its view."""
        return display.extractor(self.learner.spec.name, self.view)


@dataclass(frozen=True, slots=True, eq=False)
class FrameSpace:
    """The frames of a collection by one extractor and layer, and the digest of what changes them."""

    key: str
    frames: Sequence[Frames]


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """Clips that can be read, in the order of the user's file, and their vectors.

    Parameters
    ----------
    table : pd.DataFrame
        A row per clip: `clip`, `path`, and columns of labels ('' for unknown).
    rows : np.ndarray, shape=(n_clips,), dtype=int
        Row of every clip in the source.
    spaces : tuple[Space, ...]
        In the order of the request.
    frames : Mapping[tuple[str, Layer], FrameSpace]
        Extractor and layer -> the frames of every clip.
    unreadable : Mapping[str, str]
        Clip -> reason.
    """

    source: Source
    table: pd.DataFrame
    rows: npt.NDArray[np.intp]
    spaces: tuple[Space, ...]
    frames: Mapping[tuple[str, Layer], FrameSpace]
    unreadable: Mapping[str, str]

    @property
    def contents(self) -> Sequence[str]:
        """Return the digest of every clip's content."""
        return [self.source.contents[row] for row in self.rows]

    @property
    def clips(self) -> Sequence[Clip]:
        """Return where the audio of every clip is."""
        clips = self.source.dataset.clips()
        return [clips[row] for row in self.rows]

    @property
    def labels(self) -> Mapping[str, Sequence[str]]:
        """Return the value of every clip by label column; a column that names every clip apart is none."""
        columns = {str(name): values for name, values in self.table.items() if name not in {"clip", "path"}}
        return {
            name: values.tolist()
            for name, values in columns.items()
            if 0 < values[values != ""].nunique() < len(values)
        }

    @property
    def groups(self) -> Mapping[str, Sequence[str]]:
        """Return the label columns that say which clips belong together, the strictest first."""
        labels = self.labels
        return {name: labels[name] for name in STRICT if name in labels}


def collection_of(
    request: Request,
    declared: Registry,
    cache: Cache,
    progress_of: ProgressFactory,
    frame_extractors: Sequence[str] = (),
) -> Collection:
    """Return the collection of a request with one data set; embed the clips that the cache lacks.

    Parameters
    ----------
    frame_extractors : Sequence[str]
        Extractors whose frames are needed too, as `EXTRACTOR@layer=N`.

    Raises
    ------
    UsageError
        If an extractor cannot run here, a view has no vectors or no clip can be read.
    """
    [source] = sources_of(request, declared).values()
    points = _points(request, declared, request.extractors or DEFAULT_EXTRACTORS)
    for learner, view in points:
        _check_view(learner, view)
    frames = [f"{name}@pool={UNPOOLED}" for name in frame_extractors]
    frame_points = _points(request, declared, frames) if frames else []
    views: dict[str, set[View]] = {}
    for learner, view in (*points, *frame_points):
        views.setdefault(learner.spec.name, set()).add(view)
    unreadable: dict[str, str] = {}
    for name, learner in {learner.spec.name: learner for learner, _ in (*points, *frame_points)}.items():
        unreadable |= source.bad(embed_source(source, learner, views[name], cache, progress_of))
    table = source.dataset.table.reset_index(names="line")
    is_readable = ~table["clip"].isin(unreadable.keys()).to_numpy()
    order = np.argsort(table["line"].to_numpy(), kind="stable")
    rows = order[is_readable[order]]
    if not len(rows):
        clip, reason = next(iter(unreadable.items()))
        raise UsageError(f"{source.dataset.source}: no clip can be read, such as {clip}: {reason}")
    hidden = {"line", *AUDIO_COLUMNS}
    columns = [name for name in table if name not in hidden]
    collection = Collection(
        source=source,
        table=table.loc[rows, columns].fillna("").reset_index(drop=True),
        rows=rows,
        spaces=(),
        frames={},
        unreadable=unreadable,
    )
    contents = collection.contents
    return replace(
        collection,
        spaces=tuple(_space(contents, *point, cache) for point in points),
        frames={
            (learner.spec.name, view.layer): FrameSpace(
                key=digest([learner.digest, view.layer, contents]),
                frames=CachedFrames(cache, learner, contents, view.layer),
            )
            for learner, view in frame_points
        },
    )


def _points(request: Request, declared: Registry, names: Sequence[str]) -> list[tuple[Learner, View]]:
    """Return extractors that can run here, with their views."""
    points = learners.extractors(replace(request, extractors=tuple(names)), declared, pooling.parse)
    for learner, _ in points:
        if learner.obstacle:
            raise UsageError(display.cell_obstacle(learner.obstacle.why))
    return points


def _check_view(learner: Learner, view: View) -> None:
    """Refuse a view that has no vector per clip."""
    name = display.extractor(learner.spec.name, view)
    if view.layer == "best":
        raise UsageError(f"{name}: needs labels, as `bench run` has them; expected a layer, or all")
    if view.pool == UNPOOLED:
        pools = "|".join(pooling.POOLINGS)
        raise UsageError(f"{name}: a clip has many frames and one place; expected @pool={pools}")


def _space(contents: Sequence[str], learner: Learner, view: View, cache: Cache) -> Space:
    """Return the vectors of clips from the cache."""
    embeddings = read_embeddings(cache, learner.digest, contents, [view])
    vectors = pooling.select([embeddings[content].statistics for content in contents], view)
    key = digest([learner.digest, [view.layer, view.pool], contents])
    return Space(learner=learner, view=view, vectors=vectors, key=key)
