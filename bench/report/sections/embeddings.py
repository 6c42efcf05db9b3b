"""A map of the clips: the embeddings of the best row's extractor in the plane."""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from bench import catalog, display
from bench.embed import pooling
from bench.embed.cache import Cache
from bench.report.document import Picture, Section
from bench.report.figures import Axis, Point, Points
from bench.report.rows import Table
from bench.types import Embeddings, View

MOST_POINTS = 3000
"""Largest number of clips on a map; a random part of more clips."""


def section(table: Table, cache: Cache | None) -> Section | None:
    """Return a map of the tested clips; None if fewer than three of their embeddings are in the cache."""
    if cache is None or table.best is None:
        return None
    best = table.best.first
    store = table.stores[best.key]
    run = store.run()
    extractor = catalog.key({**run.earlier_identities, **run.identities}[best.extractor], run.env["bench"])
    clips = store.split(table.dataset, table.task.name)
    embeddings = cache.read(extractor, clips["content"].tolist(), [View()])
    clips = clips[clips["content"].isin(embeddings.keys()) & (clips["y"] != "")]
    if len(clips) > MOST_POINTS:
        clips = clips.sample(MOST_POINTS, random_state=0).sort_index()
    if len(clips) < 3:
        return None
    X = pooling.select([embeddings[content].statistics for content in clips["content"]], View())
    title = f"embeddings: {display.extractor(best.extractor, View())}, by PCA of the scaled embeddings"
    figure = Points(
        title=title,
        x=Axis("first component", ticks=False),
        y=Axis("second component", ticks=False),
        points=_points(_plane(X), clips),
        colour=table.task.name,
    )
    return Section(title, 3, (Picture(title, figure),), media=frozenset({"page"}), table=table.stem)


def _plane(X: Embeddings) -> Embeddings:
    """Return the first two principal components of scaled embeddings, shape=(n_clips, 2)."""
    scaled = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    plane: Embeddings = PCA(2, svd_solver="full").fit_transform(scaled)
    return plane.astype(float).round(3)


def _points(plane: Embeddings, clips: pd.DataFrame) -> tuple[Point, ...]:
    return tuple(
        Point(name=clip, x=x, y=y, colour=label)
        for (x, y), label, clip in zip(plane.tolist(), clips["y"], clips["clip"], strict=True)
    )
