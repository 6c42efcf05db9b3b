"""Analysis: a collection -> what it holds, each part computed once and remembered."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError, shortlist
from bench.exploration import agreement, coefficients, components, maps, normalisation, planting
from bench.exploration.clusters import Clusters, find_clusters
from bench.exploration.coefficients import Outliers as FrameOutliers
from bench.exploration.collection import DEFAULT_EXTRACTORS, Collection, FrameSpace, Space
from bench.exploration.components import Components
from bench.exploration.duplicates import duplicates
from bench.exploration.findings import Comparisons, Findings, Planting, SpaceFindings
from bench.exploration.maps import Map
from bench.exploration.memory import Memory
from bench.exploration.normalisation import Check
from bench.exploration.outliers import Outliers, outliers
from bench.exploration.suspects import suspects
from bench.metrics.neighbours import agreements
from bench.request import LARGEST_SEED, Exploration
from bench.request import options as declared
from bench.types import View

FRAME_EXTRACTOR = "mfcc-13"
"""Extractor whose frames are searched for outlying values, and compared with mean 0 and variance 1."""


def check(options: Exploration) -> None:
    """Refuse options that are unknown, or that need what another one leaves out.

    Raises
    ------
    UsageError
        For the first such option.
    """
    for name, option in declared(Exploration).items():
        value = getattr(options, name)
        if option.choices and value is not None and value not in option.choices:
            raise UsageError(f"{option.flags[0]} {value}: is unknown; expected {', '.join(option.choices)}")
        if option.form == "share" and not 0 <= value < 1:
            raise UsageError(f"{option.flags[0]} {value:g}: expected a share from 0 to below 1")
    if not 0 <= options.seed <= LARGEST_SEED:
        raise UsageError(f"--seed {options.seed}: expected a whole number from 0 to {LARGEST_SEED}")
    if options.animate and options.map != "umap":
        raise UsageError(f"--animate: --map {options.map} has no stages; expected --map umap")
    if options.with_audio and options.map == "none":
        raise UsageError("--with-audio: --map none has no page; expected a map")
    if options.export_clusters and options.clusters == "none":
        raise UsageError(
            "--export-clusters: --clusters none has no folders; expected auto, bic, hdbscan or a number"
        )


def frame_extractors(extractors: Sequence[str], options: Exploration) -> list[str]:
    """Return the extractors whose frames an exploration needs, as `EXTRACTOR@layer=N`."""
    names = [FRAME_EXTRACTOR] if options.outliers or options.normalisation else []
    if options.components:
        names += [re.sub("@pool=[^@]*", "", name) for name in extractors or DEFAULT_EXTRACTORS]
    return list(dict.fromkeys(names))


def analyse(collection: Collection, options: Exploration, memory: Memory) -> Findings:
    """Return what a collection holds.

    Raises
    ------
    UsageError
        If a label column is unknown, or there are too few clips for what was asked for.
    """
    labels = _labels(collection, options.color)
    analysis = _Analysis(collection, labels, options, memory)
    frames = collection.frames.get((FRAME_EXTRACTOR, View().layer))
    first = collection.spaces[0].vectors
    return Findings(
        collection=collection,
        labels=labels,
        spaces=tuple(analysis.space(space) for space in collection.spaces),
        frame_outliers=analysis.frame_outliers(frames) if frames and options.outliers else None,
        normalisation=analysis.normalisation(frames) if frames and options.normalisation else None,
        duplicates=duplicates(collection.source, first, rows=collection.rows) if options.duplicates else None,
        suspects=suspects(Path(options.suspects)) if options.suspects else (),
    )


def _labels(collection: Collection, columns: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return label columns by their names; all of them if none is named."""
    labels = collection.labels
    if unknown := set(columns) - labels.keys():
        names = f"expected {', '.join(labels)}" if labels else "the clips have no labels"
        raise UsageError(f"--color {shortlist(unknown)}: is no label column; {names}")
    return {name: labels[name] for name in columns or labels}


@dataclass(frozen=True, slots=True)
class _Analysis:
    """The parts of an analysis; each is computed unless the memory has it."""

    collection: Collection
    labels: Mapping[str, Sequence[str]]
    options: Exploration
    memory: Memory

    def space(self, space: Space) -> SpaceFindings:
        """Return what the vectors of a space show."""
        options = self.options
        plane = self._map(space) if options.map != "none" else None
        clusters = self._clusters(space) if options.clusters != "none" else None
        frames = self.collection.frames.get((space.learner.spec.name, space.view.layer))
        share = options.components
        return SpaceFindings(
            space=space,
            map=plane,
            agreements=agreements(plane.faithfulness, self.labels) if plane else {},
            clusters=clusters,
            comparisons=self._comparisons(space, clusters) if clusters and clusters.n_clusters else None,
            outliers=self._outliers(space) if options.outliers else None,
            n_components=components.of_vectors(space.vectors, share) if share else None,
            frame_components=self._components(frames) if share and frames else None,
            planting=self._planting(space) if options.plant_errors else None,
        )

    def frame_outliers(self, frames: FrameSpace) -> FrameOutliers:
        """Return the outlying values of frames, by the values of the first column that the user named."""
        groups = list(self.labels[self.options.color[0]]) if self.options.color else []
        fields = {"frames": frames.key, "groups": groups}
        return self.memory.recall(FrameOutliers, fields, lambda: coefficients.outliers(frames.frames, groups))

    def normalisation(self, frames: FrameSpace) -> Check:
        """Return the moments of frames before and after normalisation, by clip and by speaker."""
        groups = {name: values for name, values in self.collection.groups.items() if name == "speaker"}
        fields = {"frames": frames.key, "groups": {name: list(values) for name, values in groups.items()}}
        return self.memory.recall(Check, fields, lambda: normalisation.check(frames.frames, groups))

    def _map(self, space: Space) -> Map:
        method, seed = self.options.map, self.options.seed
        fields = {"space": space.key, "method": method, "seed": seed}
        return self.memory.recall(Map, fields, lambda: maps.fit(space.vectors, method, seed))

    def _clusters(self, space: Space) -> Clusters:
        method, seed = self.options.clusters, self.options.seed
        fields = {"space": space.key, "method": method, "seed": seed}
        return self.memory.recall(Clusters, fields, lambda: find_clusters(space.vectors, method, seed))

    def _comparisons(self, space: Space, clusters: Clusters) -> Comparisons:
        """Return clusters beside labels; intervals are over the strictest groups."""
        labels, groups = self.labels, self.collection.groups
        unit = next(iter(groups.values()), [""] * len(clusters.labels))

        def compare() -> Comparisons:
            cut = clusters.labels
            return Comparisons(
                scores={name: agreement.label_scores(cut, column, unit) for name, column in labels.items()},
                associations={name: agreement.associate(cut, column) for name, column in groups.items()},
            )

        columns = [{name: list(column) for name, column in part.items()} for part in (labels, groups)]
        fields = {"space": space.key, "method": self.options.clusters, "seed": self.options.seed}
        return self.memory.recall(Comparisons, {**fields, "columns": columns}, compare)

    def _outliers(self, space: Space) -> Outliers:
        seed = self.options.seed
        fields = {"space": space.key, "seed": seed}
        return self.memory.recall(Outliers, fields, lambda: outliers(space.vectors, seed))

    def _components(self, frames: FrameSpace) -> Components:
        share = self.options.components
        fields = {"frames": frames.key, "share": share}
        return self.memory.recall(Components, fields, lambda: components.of_clips(frames.frames, share))

    def _planting(self, space: Space) -> Planting:
        """Return the planted label errors that the search finds, of every column with classes.

        Raises
        ------
        UsageError
            If no column has labels that errors can be planted in.
        """
        columns = [name for name, column in self.labels.items() if _has_classes(column)]
        if not columns:
            raise UsageError(
                f"--plant-errors {self.options.plant_errors:g}: no label column has two classes or more with "
                f"{planting.MIN_CLIPS} clips each; expected labels of which some may be wrong"
            )
        return Planting(searches={name: self._planted_in(space, name).searches[name] for name in columns})

    def _planted_in(self, space: Space, name: str) -> Planting:
        """Return the planted errors of one label column; the strictest other groups stay apart."""
        labels, groups = self.labels[name], self.collection.groups
        unit = next((column for group, column in groups.items() if group != name), [""] * len(labels))
        has_groups = any(unit)
        share, seed = self.options.plant_errors, self.options.seed

        def search() -> Planting:
            searches = planting.search_planted(space.vectors, labels, unit, share, seed)
            is_shown = [has_groups or (part.unit == "clip" and part.folds == "random") for part in searches]
            return Planting(searches={name: tuple(itertools.compress(searches, is_shown))})

        fields = {"space": space.key, "name": name, "labels": list(labels), "groups": list(unit)}
        return self.memory.recall(Planting, {**fields, "share": share, "seed": seed}, search)


def _has_classes(column: Sequence[str]) -> bool:
    """Return whether two labels of a column or more have enough clips to plant errors in."""
    counts = Counter(label for label in column if label)
    return sum(count >= planting.MIN_CLIPS for count in counts.values()) >= 2
