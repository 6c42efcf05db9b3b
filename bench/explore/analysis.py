"""Analysis: a collection -> what it holds, each part computed once and remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.errors import UsageError, shortlist
from bench.explore import clusters, coefficients, components, maps, normalisation, outliers, planting
from bench.explore.clusters import Clusters
from bench.explore.coefficients import Outliers as FrameOutliers
from bench.explore.collection import Collection, Space
from bench.explore.components import Components
from bench.explore.duplicates import Duplicates, duplicates
from bench.explore.maps import Agreement, Map
from bench.explore.memory import Memory
from bench.explore.normalisation import Check
from bench.explore.outliers import Outliers
from bench.explore.planting import PlantedSearch
from bench.explore.suspects import Suspects, suspects
from bench.request import Exploration

FRAME_EXTRACTOR = "mfcc-13"
"""Extractor whose frames are searched for outlying values, and compared with mean 0 and variance 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpaceFindings:
    """What the vectors of an extractor and view show.

    Parameters
    ----------
    agreements : Mapping[str, Agreement]
        Label column -> how often the nearest clips have a clip's own label.
    n_components : int | None
        Number of principal components of the vectors for the share that was asked for.
    frame_components : Components | None
        Those of the frames of every clip.
    planted : Mapping[str, tuple[PlantedSearch, ...]]
        Label column -> planted errors that the search finds.
    """

    space: Space
    map: Map | None
    agreements: Mapping[str, Agreement]
    clusters: Clusters | None
    outliers: Outliers | None
    n_components: int | None
    frame_components: Components | None
    planted: Mapping[str, tuple[PlantedSearch, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """What a collection holds."""

    collection: Collection
    labels: Mapping[str, Sequence[str]]
    spaces: tuple[SpaceFindings, ...]
    frame_outliers: FrameOutliers | None
    normalisation: Check | None
    duplicates: Duplicates | None
    suspects: tuple[Suspects, ...]
