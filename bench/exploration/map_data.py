"""The maps of an exploration as the page and the table take them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench import display
from bench.exploration import map_figure
from bench.exploration.clusters import Clusters
from bench.exploration.findings import Findings, SpaceFindings
from bench.exploration.maps import Map
from bench.report.map import MapData, MapView, free_name

Column = Sequence[str] | npt.NDArray[np.floating]


def map_data(findings: Findings, previews: Sequence[Path | None] = ()) -> MapData | None:
    """Return the maps of an exploration; None without maps.

    Parameters
    ----------
    previews : Sequence[Path | None]
        A short recording of every clip; empty for no sound.
    """
    table = findings.collection.table
    shared = columns(findings)
    views = [_view(space, space.map, shared) for space in findings.spaces if space.map]
    if not views:
        return None
    return MapData(
        title=findings.collection.source.dataset.name,
        clips=table["clip"].tolist(),
        paths=table["path"].tolist(),
        views=views,
        columns=shared,
        previews=previews,
    )


def columns(findings: Findings) -> Mapping[str, Column]:
    """Return what the clips can be coloured by in every view: labels and suspects."""
    values: dict[str, Column] = dict(findings.labels)
    for suspects in findings.suspects:
        if suspects.dataset == findings.collection.source.dataset.name:
            quality = dict(zip(suspects.clips.name, suspects.clips.quality.tolist(), strict=True))
            clips = findings.collection.table
            names = clips["clip"] if clips["clip"].isin(quality).any() else clips.get("parent", clips["clip"])
            values[f"quality of {suspects.task}"] = names.map(quality).to_numpy(np.float64)
    return values


def _columns(space: SpaceFindings) -> Mapping[str, Column]:
    """Return what the clips can be coloured by in the view of an extractor: clusters and outlier scores."""
    values: dict[str, Column] = {}
    if space.clusters is not None:
        values["cluster"] = cluster_names(space.clusters)
    if space.outliers is not None:
        values["outlier distance"] = space.outliers.distance
    return values


def cluster_names(clusters: Clusters) -> list[str]:
    """Return the number of every clip's cluster as a text, or what noise is called."""
    return ["noise" if label < 0 else str(label) for label in clusters.labels]


def clip_table(findings: Findings) -> pd.DataFrame:
    """Return a row per clip: its labels, and its place, cluster and q-value by every extractor.

    A column whose name a label has gets a number behind its name, such as ``cluster 2``.
    """
    table = findings.collection.table.copy()
    for space in findings.spaces:
        prefix = f"{space.space.name} " if len(findings.spaces) > 1 else ""
        values: dict[str, npt.NDArray[np.generic]] = {}
        if space.map is not None:
            values["x"], values["y"] = space.map.points.T
        if space.clusters is not None:
            values["cluster"] = space.clusters.labels
            values["probability"] = space.clusters.probabilities
        if space.outliers is not None:
            values["outlier_q"] = space.outliers.q
        for name, column in values.items():
            table[free_name(prefix + name, table.columns)] = column
    return table


def _view(space: SpaceFindings, plane: Map, shared: Collection[str]) -> MapView:
    """Return the map of an extractor and view with what it says of its faithfulness."""
    return MapView(
        extractor=space.space.learner.spec.name,
        name=f"{display.view(space.space.view)}, {map_figure.TITLES[plane.method]}",
        points=plane.points,
        faithfulness=plane.faithfulness,
        agreements=space.agreements,
        columns={free_name(name, shared): values for name, values in _columns(space).items()},
    )
