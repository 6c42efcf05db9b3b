"""Findings: what an exploration computed, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.exploration.agreement import Association
from bench.exploration.clusters import Clusters
from bench.exploration.coefficients import Outliers as FrameOutliers
from bench.exploration.collection import Collection, Space
from bench.exploration.components import Components
from bench.exploration.duplicates import Duplicates
from bench.exploration.maps import Map
from bench.exploration.normalisation import Check
from bench.exploration.outliers import Outliers
from bench.exploration.planting import PlantedSearch
from bench.exploration.suspects import Suspects
from bench.metrics.neighbours import Agreement
from bench.types import Score


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparisons:
    """Clusters beside labels.

    Parameters
    ----------
    scores : Mapping[str, tuple[Score, ...]]
        Label column -> agreement of clusters and labels.
    associations : Mapping[str, Association]
        Column of groups, such as speakers -> how far the clusters are these groups.
    """

    scores: Mapping[str, tuple[Score, ...]]
    associations: Mapping[str, Association]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Planting:
    """Planted label errors that the search finds, by label column."""

    searches: Mapping[str, tuple[PlantedSearch, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpaceFindings:
    """What the vectors of an extractor and view show; None for what was not asked for.

    Parameters
    ----------
    agreements : Mapping[str, Agreement]
        Label column -> how often the nearest clips have a clip's own label.
    comparisons : Comparisons | None
        None also without clusters.
    n_components : int | None
        Number of principal components of the vectors for the share that was asked for.
    frame_components : Components | None
        Those of the frames of every clip.
    """

    space: Space
    map: Map | None
    agreements: Mapping[str, Agreement]
    clusters: Clusters | None
    comparisons: Comparisons | None
    outliers: Outliers | None
    n_components: int | None
    frame_components: Components | None
    planting: Planting | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """What a collection holds; None for what was not asked for.

    Parameters
    ----------
    labels : Mapping[str, Sequence[str]]
        Label columns of the pictures and scores -> the label of every clip, '' if it is unknown.
    spaces : tuple[SpaceFindings, ...]
        One or more, in the order of the request.
    """

    collection: Collection
    labels: Mapping[str, Sequence[str]]
    spaces: tuple[SpaceFindings, ...]
    frame_outliers: FrameOutliers | None
    normalisation: Check | None
    duplicates: Duplicates | None
    suspects: tuple[Suspects, ...]
