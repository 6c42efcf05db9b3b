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
from bench.embed.sources import embed_source
from bench.errors import UsageError
from bench.keys import digest
from bench.request import Request
from bench.types import AUDIO_COLUMNS, UNPOOLED, Embeddings, View

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
    def extractor(self) -> str:
        """Return the name of the extractor."""
        return self.learner.spec.name


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
    unreadable : Mapping[str, str]
        Clip -> reason.
    """

    source: Source
    table: pd.DataFrame
    rows: npt.NDArray[np.intp]
    spaces: tuple[Space, ...]
    unreadable: Mapping[str, str]

    @property
    def contents(self) -> Sequence[str]:
        """Return the digest of every clip's content."""
        return [self.source.contents[row] for row in self.rows]

    @property
    def labels(self) -> Mapping[str, Sequence[str]]:
        """Return the value of every clip by label column; a column that names every clip apart is none."""
        return {
            name: values.tolist()
            for name, values in self.table.drop(columns=["clip", "path"]).items()
            if 0 < values[values != ""].nunique() < len(values)
        }

    @property
    def groups(self) -> Mapping[str, Sequence[str]]:
        """Return the label columns that say which clips belong together, the strictest first."""
        labels = self.labels
        return {name: labels[name] for name in STRICT if name in labels}


def collection_of(
    request: Request, declared: Registry, cache: Cache, progress_of: ProgressFactory
) -> Collection:
    """Return the collection of a request with one data set; embed the clips that the cache lacks.

    Raises
    ------
    UsageError
        If an extractor cannot run here, a view has no vectors or no clip can be read.
    """
    [source] = sources_of(request, declared).values()
    points = learners.extractors(
        replace(request, extractors=request.extractors or DEFAULT_EXTRACTORS), declared, pooling.parse
    )
    views: dict[str, set[View]] = {}
    for learner, view in points:
        _check(learner, view)
        views.setdefault(learner.spec.name, set()).add(view)
    unreadable: dict[str, str] = {}
    for learner in {learner.spec.name: learner for learner, _ in points}.values():
        bad = embed_source(source, learner, views[learner.spec.name], cache, progress_of)
        unreadable |= bad
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
        unreadable=unreadable,
    )
    return replace(collection, spaces=tuple(_space(collection, *point, cache) for point in points))


def _check(learner: Learner, view: View) -> None:
    """Refuse what has no vectors."""
    if learner.obstacle:
        raise UsageError(display.cell_obstacle(learner.obstacle.why))
    name = display.extractor(learner.spec.name, view)
    if view.layer == "best":
        raise UsageError(f"{name}: needs labels, as `bench run` has them; expected a layer, or all")
    if view.pool == UNPOOLED:
        raise UsageError(
            f"{name}: frames have no place on a map of clips; expected @pool={'|'.join(pooling.POOLINGS)}"
        )


def _space(collection: Collection, learner: Learner, view: View, cache: Cache) -> Space:
    """Return the vectors of a collection from the cache."""
    contents = collection.contents
    embeddings = read_embeddings(cache, learner.digest, contents, [view])
    vectors = pooling.select([embeddings[content].statistics for content in contents], view)
    key = digest([learner.digest, [view.layer, view.pool], contents])
    return Space(learner=learner, view=view, vectors=vectors, key=key)
