"""A map of the clips: the embeddings that the best row's head sees, in the plane."""

from collections import Counter

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from bench import catalog, display
from bench.embed import pooling
from bench.embed.cache import Cache
from bench.metrics.neighbours import agreements, faithfulness
from bench.report.document import Map, Section
from bench.report.map import MapData, MapView
from bench.report.rows import Row, Table
from bench.types import UNPOOLED, Embeddings, View

MOST_POINTS = 3000
"""Largest number of clips on a map; a random part of more clips."""


def section(table: Table, cache: Cache | None) -> Section | None:
    """Return a map of the tested clips; None if fewer than three of their embeddings are in the cache."""
    if cache is None or table.best is None:
        return None
    best, view = table.best.first, _view(table.best)
    store = table.stores[best.key]
    run = store.run()
    extractor = catalog.key({**run.earlier_identities, **run.identities}[best.extractor], run.env["bench"])
    clips = store.split(table.dataset, table.task.name)
    embeddings = cache.read(extractor, clips["content"].tolist(), [view])
    clips = clips[clips["content"].isin(embeddings.keys()) & (clips["y"] != "")]
    if len(clips) > MOST_POINTS:
        clips = clips.sample(MOST_POINTS, random_state=0).sort_index()
    if len(clips) < 3:
        return None
    X = _scaled(pooling.select([embeddings[content].statistics for content in clips["content"]], view))
    plane = PCA(2, svd_solver="full").fit_transform(X).astype(float).round(3)
    labels = {table.task.name: clips["y"].tolist()}
    trust = faithfulness(X, plane, seed=0)
    name = f"{display.view(view)}, PCA of the scaled embeddings"
    data = MapData(
        title=table.task.name,
        clips=clips["clip"].tolist(),
        paths=(),
        views=(MapView(best.extractor, name, plane, trust, agreements=agreements(trust, labels)),),
        columns={**labels, **_predictions(table.predictions(best), clips["clip"])},
    )
    title = f"embeddings: {display.extractor(best.extractor, view)}, by PCA of the scaled embeddings"
    return Section(title, 3, (Map(title, data),), media=frozenset({"page"}), table=table.stem)


def _view(row: Row) -> View:
    """Return the row's view, or what is nearest to it if its head sees frames, all layers or chosen ones."""
    view = row.first.view
    pool = View().pool if view.pool == UNPOOLED else view.pool
    chosen = Counter(layer for result in row.results for layer in result.layers)
    if view.layer == "best":
        return View(chosen.most_common(1)[0][0] if chosen else "last", pool)
    return View("mean" if view.layer == "all" else view.layer, pool)


def _scaled(X: Embeddings) -> Embeddings:
    scaled: Embeddings = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    return scaled


def _predictions(predictions: pd.DataFrame, clips: pd.Series) -> dict[str, list[str]]:
    """Return what the best row predicts of every clip, and whether that is right; empty texts if untested."""
    if not {"y_true", "y_pred"} <= set(predictions.columns):
        return {}
    tested = predictions.drop_duplicates("clip").set_index("clip").reindex(clips)
    right = np.where(tested["y_true"] == tested["y_pred"], "right", "wrong")
    return {
        "prediction": tested["y_pred"].fillna("").tolist(),
        "best row": np.where(tested["y_pred"].isna(), "", right).tolist(),
    }
