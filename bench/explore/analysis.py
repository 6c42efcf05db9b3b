"""Analysis: a collection -> what it holds, each part computed once and remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import display
from bench.errors import UsageError, shortlist
from bench.explore import coefficients, components, maps, normalisation
from bench.explore.coefficients import Outliers as FrameOutliers
from bench.explore.collection import Collection, FrameSpace, Space
from bench.explore.components import Components
from bench.explore.maps import Agreement, Map
from bench.explore.memory import Memory
from bench.explore.normalisation import Check
from bench.explore.outliers import Outliers, outliers
from bench.request import Exploration
from bench.types import View

FRAME_EXTRACTOR = "mfcc-13"
"""Extractor whose frames are searched for outlying values, and compared with mean 0 and variance 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpaceFindings:
    """What the vectors of an extractor and view show; None for what was not asked for.

    Parameters
    ----------
    agreements : Mapping[str, Agreement]
        Label column -> how often the nearest clips have a clip's own label.
    n_components : int | None
        Number of principal components of the vectors for the share that was asked for.
    frame_components : Components | None
        Those of the frames of every clip.
    """

    space: Space
    map: Map | None = None
    agreements: Mapping[str, Agreement]
    outliers: Outliers | None = None
    n_components: int | None = None
    frame_components: Components | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """What a collection holds; None for what was not asked for.

    Parameters
    ----------
    labels : Mapping[str, Sequence[str]]
        Label columns of the pictures and scores -> the label of every clip, '' if it is unknown.
    """

    collection: Collection
    labels: Mapping[str, Sequence[str]]
    spaces: tuple[SpaceFindings, ...]
    frame_outliers: FrameOutliers | None = None
    normalisation: Check | None = None


def frame_extractors(extractors: Sequence[str], options: Exploration) -> list[str]:
    """Return the extractors whose frames an exploration needs."""
    names = [FRAME_EXTRACTOR] if options.outliers or options.normalisation else []
    if options.components:
        names += [name.partition("@pool=")[0] for name in extractors]
    return list(dict.fromkeys(names))


def analyse(collection: Collection, options: Exploration, memory: Memory) -> Findings:
    """Return what a collection holds.

    Raises
    ------
    UsageError
        If a label column is unknown, or there are too few clips for what was asked for.
    """
    labels = _labels(collection, options.color)
    frames = collection.frames.get(display.extractor(FRAME_EXTRACTOR, View(pool="none")))
    return Findings(
        collection=collection,
        labels=labels,
        spaces=tuple(_space(collection, space, labels, options, memory) for space in collection.spaces),
        frame_outliers=_frame_outliers(frames, memory) if frames and options.outliers else None,
        normalisation=_normalisation(frames, collection, memory)
        if frames and options.normalisation
        else None,
    )


def _labels(collection: Collection, columns: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return label columns by their names; all of them if none is named."""
    labels = collection.labels
    if unknown := set(columns) - labels.keys():
        names = f"expected {', '.join(labels)}" if labels else "the clips have no labels"
        raise UsageError(f"--color {shortlist(unknown)}: is no label column; {names}")
    return {name: labels[name] for name in columns or labels}


def _space(
    collection: Collection,
    space: Space,
    labels: Mapping[str, Sequence[str]],
    options: Exploration,
    memory: Memory,
) -> SpaceFindings:
    """Return what the vectors of a space show."""
    key, seed = space.key, options.seed
    plane = None
    if options.map != "none":
        fields = {"space": key, "method": options.map, "seed": seed}
        plane = memory.recall(Map, fields, lambda: maps.fit(space.vectors, options.map, seed))
    far = None
    if options.outliers:
        fields = {"space": key, "seed": seed}
        far = memory.recall(Outliers, fields, lambda: outliers(space.vectors, seed))
    frames = collection.frames.get(display.extractor(space.learner.spec.name, View(space.view.layer, "none")))
    share = options.components
    return SpaceFindings(
        space=space,
        map=plane,
        agreements=maps.agreements(plane.faithfulness, labels) if plane else {},
        outliers=far,
        n_components=components.of_vectors(space.vectors, share) if share else None,
        frame_components=_components(frames, share, memory) if share and frames else None,
    )


def _components(frames: FrameSpace, share: float, memory: Memory) -> Components:
    fields = {"frames": frames.key, "share": share}
    return memory.recall(Components, fields, lambda: components.of_clips(frames.frames, share))


def _frame_outliers(frames: FrameSpace, memory: Memory) -> FrameOutliers:
    fields = {"frames": frames.key}
    return memory.recall(FrameOutliers, fields, lambda: coefficients.outliers(frames.frames))


def _normalisation(frames: FrameSpace, collection: Collection, memory: Memory) -> Check:
    groups = {name: values for name, values in collection.groups.items() if name == "speaker"}
    fields = {"frames": frames.key, "groups": {name: list(values) for name, values in groups.items()}}
    return memory.recall(Check, fields, lambda: normalisation.check(frames.frames, groups))
