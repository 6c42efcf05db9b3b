"""Writing: what an exploration found, as files in its folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
from bench.exploration.duplicates import duplicate_table
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
    "components.png",
    "criteria.csv",
    "duplicates.csv",
    "map.html",
    "map.gif",
    "map.parquet",
    "map.png",
    "outliers.csv",
    "outlying-values.csv",
    "outlying-values.png",
    "silhouette.png",
    "stability.png",
    "suspects",
)
"""Names that are looked at before anything is computed; `Folder.path` looks at all files."""

MOST_CHARACTERS = 80
"""Largest number of characters of a file's name that come from a label column or an extractor."""


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
    try:
        words = _write(findings, options, folder)
    except BaseException:
        folder.interrupt(command)
        raise
    return Outcome(findings, words, folder.finish(command))


def _write(findings: Findings, options: Exploration, folder: Folder) -> str:
    """Write all files but the record; return what a terminal shows."""
    prefixes = _prefixes(findings)
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
        copies = duplicate_table(findings.duplicates, collection.source, collection.rows)
        folder.write_table("duplicates.csv", copies)
    stems = file_names(f"{suspects.dataset}.{suspects.task}" for suspects in findings.suspects)
    for suspects in findings.suspects:
        stem = f"suspects/{stems[f'{suspects.dataset}.{suspects.task}']}"
        folder.write_table(f"{stem}.csv", label_errors.frame(suspects.clips))
        if suspects.groups is not None:
            folder.write_table(f"{stem}.groups.csv", label_errors.frame(suspects.groups))
    if findings.frame_outliers is not None:
        folder.write_table("outlying-values.csv", coefficients.table(findings.frame_outliers))
        png.write(coefficients.figure(findings.frame_outliers), folder.path("outlying-values.png"))
    export = _export(findings, prefixes, options)
    words = markdown.text([*sections(findings), *([export] if export else [])])
    replace_text(folder.path(TEXT), words + "\n")
    return words


def _previews(findings: Findings, out: Path) -> Sequence[Path | None]:
    """Return a short recording of every clip, beside the page."""
    collection = findings.collection
    return previews(collection.clips, collection.contents, out / AUDIO)


def _prefixes(findings: Findings) -> list[str]:
    """Return the folder of every extractor and view; '' if there is one."""
    names = [space.space.name for space in findings.spaces]
    return [f"{name}/" for name in file_names(names).values()] if len(names) > 1 else [""]


def file_names(names: Iterable[str]) -> Mapping[str, str]:
    """Return a part of a file's name for every name, which no other one has.

    Examples
    --------
    >>> file_names(["a b", "a/b", "c"])
    {'a b': 'a-b', 'a/b': 'a-b~2', 'c': 'c'}
    """
    parts: dict[str, str] = {}
    numbers = Counter[str]()
    for name in names:
        part = re.sub(r"[^\w.+-]+", "-", name)[:MOST_CHARACTERS]
        numbers[part.casefold()] += 1  # names of different case are one file on some systems
        number = numbers[part.casefold()]
        parts[name] = part if number == 1 else f"{part}~{number}"
    return parts


def _write_clusters(clusters: Clusters, clips: Sequence[Clip], prefix: str, folder: Folder) -> None:
    """Write the table of clusters, and the criteria for their number."""
    folder.write_table(f"{prefix}clusters.csv", cluster_folders.table(clips, clusters))
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
        export = cluster_folders.export(target, findings.collection.clips, labels, options.export_clusters)
        counts = {"links": export.n_links, "copies": export.n_copies, "cuts": export.n_cuts}
        lines.append(
            text(f"{target}: {', '.join(f'{number} {name}' for name, number in counts.items() if number)}")
        )
        if export.obstacle:
            lines.append(text(f"copies in place of links: {export.obstacle}"))
        if export.n_foreign:
            lines.append(text(f"{export.n_foreign} other files stay as they are"))
    return Section("Folders of clusters", 2, (Notes(tuple(lines)),)) if lines else None


def _write_space(
    findings: Findings, space: SpaceFindings, prefix: str, options: Exploration, folder: Folder
) -> None:
    """Write the files of one extractor and view."""
    clips = findings.collection.table["clip"].tolist()
    if space.map is not None:
        stems = file_names(findings.labels)
        for column, labels in (findings.labels or {"": [""] * len(clips)}).items():
            shares = {column: space.agreements[column]} if column else {}
            title = f"{space.space.name}\n{map_figure.caption(space.map, shares)}"
            figure = map_figure.figure(space.map, clips, column, labels, title)
            name = f"map-{stems[column]}.png" if column else "map.png"
            png.write(figure, folder.path(prefix + name))
    if space.clusters is not None:
        _write_clusters(space.clusters, findings.collection.clips, prefix, folder)
    if options.animate and space.map is not None:
        groups = next(iter(findings.labels.values()), [""] * len(clips))
        if space.clusters is not None and space.clusters.n_clusters:
            groups = cluster_names(space.clusters)
        write_gif(space.map.stages, groups, folder.path(f"{prefix}map.gif"))
    if space.outliers is not None:
        folder.write_table(f"{prefix}outliers.csv", outliers.table(space.outliers, clips))
    if space.frame_components is not None and space.frame_components.of_clip.any():
        png.write(components.figure(space.frame_components), folder.path(f"{prefix}components.png"))
