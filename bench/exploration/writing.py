"""Writing: what an exploration found, as files in its folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.exploration import (
    cluster_figures,
    cluster_folders,
    coefficients,
    components,
    map_figure,
    outliers,
)
from bench.exploration import suspects as label_errors
from bench.exploration.animation import write_gif
from bench.exploration.clusters import Clusters
from bench.exploration.duplicates import write_duplicates
from bench.exploration.findings import Findings, SpaceFindings
from bench.exploration.folder import Folder
from bench.exploration.map_data import clip_table, cluster_names, map_data
from bench.exploration.previews import previews
from bench.exploration.sections import sections
from bench.files import replace_text
from bench.report import map as page
from bench.report.document import Notes, Section, text
from bench.report.figures import png
from bench.report.writers import markdown
from bench.request import Exploration
from bench.types import Clip

TEXT = "explore.md"
AUDIO = "map-audio"
"""Folder of the recordings that the page plays, by the digests of their content."""

NAMES = (
    TEXT,
    "clips.csv",
    "bic.png",
    "clusters.csv",
    "criteria.csv",
    "duplicates.csv",
    "map.html",
    "map.gif",
    "map.parquet",
    "outliers.csv",
    "outlying-values.csv",
    "outlying-values.png",
    "suspects",
)
"""Files of an exploration; those of an extractor are in a folder of its name, if there are several."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an exploration found, the text for a terminal, and the paths of its files."""

    findings: Findings
    text: str
    paths: Sequence[Path]


def write(findings: Findings, options: Exploration, folder: Folder, command: str) -> Outcome:
    """Write the files of an exploration.

    Raises
    ------
    UsageError
        If the folder holds files that no exploration wrote.
    OSError
        If a file cannot be written.
    """
    prefixes = [_prefix(space, len(findings.spaces)) for space in findings.spaces]
    folder.check([*NAMES, *(prefix.rstrip("/") for prefix in prefixes if prefix)])
    folder.write_table("clips.csv", clip_table(findings))
    data = map_data(findings, _previews(findings, folder.out) if options.with_audio else ())
    if data is not None:
        page.write(folder.path("map.html"), data)
        page.write_table(folder.path("map.parquet"), data)
    for space, prefix in zip(findings.spaces, prefixes, strict=True):
        _write_space(findings, space, prefix, options, folder)
    if findings.duplicates is not None:
        collection = findings.collection
        write_duplicates(
            folder.path("duplicates.csv"), findings.duplicates, collection.source, collection.rows
        )
    for suspects in findings.suspects:
        stem = f"suspects/{_file_name(suspects.dataset)}.{_file_name(suspects.task)}"
        label_errors.write(folder.path(f"{stem}.csv"), suspects.clips)
        if suspects.groups is not None:
            label_errors.write(folder.path(f"{stem}.groups.csv"), suspects.groups)
    if findings.frame_outliers is not None:
        folder.write_table("outlying-values.csv", coefficients.table(findings.frame_outliers))
        png.write(coefficients.figure(findings.frame_outliers), folder.path("outlying-values.png"))
    export = _export(findings, prefixes, options)
    words = markdown.text([*sections(findings), *([export] if export else [])])
    replace_text(folder.path(TEXT), words + "\n")
    return Outcome(findings, words, folder.finish(command))


def _previews(findings: Findings, out: Path) -> Sequence[Path | None]:
    """Return a short recording of every clip, beside the page."""
    collection = findings.collection
    return previews(collection.clips, collection.contents, out / AUDIO)


def _prefix(space: SpaceFindings, n_spaces: int) -> str:
    """Return the folder of an extractor and view; '' if it is the only one."""
    return _file_name(space.space.name) + "/" if n_spaces > 1 else ""


def _file_name(name: str) -> str:
    """Return a name as a part of a file's name."""
    return re.sub(r"[^\w.+-]+", "-", name)[:80]


def _write_clusters(clusters: Clusters, clips: Sequence[Clip], prefix: str, folder: Folder) -> None:
    """Write the table of clusters, and the criteria for their number."""
    cluster_folders.write_table(folder.path(f"{prefix}clusters.csv"), clips, clusters)
    if clusters.criteria is not None:
        for name, figure in cluster_figures.figures(clusters.criteria).items():
            png.write(figure, folder.path(f"{prefix}{name}.png"))
        folder.write_table(f"{prefix}criteria.csv", cluster_figures.table(clusters.criteria))


def _export(findings: Findings, prefixes: Sequence[str], options: Exploration) -> Section | None:
    """Write a folder per cluster; return how many files are links or copies, and why."""
    if options.export_clusters is None:
        return None
    lines = []
    for space, prefix in zip(findings.spaces, prefixes, strict=True):
        if space.clusters is None:
            continue
        target = options.out / prefix / "clusters"
        labels = space.clusters.labels.tolist()
        done = cluster_folders.export(target, findings.collection.clips, labels, options.export_clusters)
        counts = {"links": done.n_links, "copies": done.n_copies, "cuts": done.n_cuts}
        lines.append(
            text(f"{target}: {', '.join(f'{number} {name}' for name, number in counts.items() if number)}")
        )
        if done.obstacle:
            lines.append(text(f"copies in place of links: {done.obstacle}"))
        if done.n_foreign:
            lines.append(text(f"{done.n_foreign} other files stay as they are"))
    return Section("Folders of clusters", 2, (Notes(tuple(lines)),)) if lines else None


def _write_space(
    findings: Findings, space: SpaceFindings, prefix: str, options: Exploration, folder: Folder
) -> None:
    """Write the files of one extractor and view."""
    clips = findings.collection.table["clip"].tolist()
    if space.map is not None:
        for column, labels in (findings.labels or {"": [""] * len(clips)}).items():
            shares = {column: space.agreements[column]} if column else {}
            title = f"{space.space.name}\n{map_figure.caption(space.map, shares)}"
            figure = map_figure.figure(space.map, clips, column, labels, title)
            name = f"map-{_file_name(column)}.png" if column else "map.png"
            png.write(figure, folder.path(prefix + name))
    if space.clusters is not None:
        _write_clusters(space.clusters, findings.collection.clips, prefix, folder)
    if options.animate and space.map is not None:
        groups = next(iter(findings.labels.values()), [""] * len(clips))
        if space.clusters is not None and space.clusters.n_clusters:
            groups = cluster_names(space.clusters)
        write_gif(space.map.stages, groups, folder.path(f"{prefix}map.gif"))
    if space.outliers is not None:
        outliers.write(folder.path(f"{prefix}outliers.csv"), space.outliers, clips)
    if space.frame_components is not None:
        png.write(components.figure(space.frame_components), folder.path(f"{prefix}components.png"))
