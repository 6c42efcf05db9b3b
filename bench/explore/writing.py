"""Writing: what an exploration found, as files in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.explore import coefficients, components, map_figure, outliers
from bench.explore.analysis import Findings, SpaceFindings
from bench.explore.animation import write_gif
from bench.explore.folder import Folder
from bench.explore.sections import sections
from bench.files import replace_text
from bench.report.figures import png
from bench.report.writers import markdown
from bench.request import Exploration

TEXT = "explore.md"
NAMES = (TEXT, "clips.csv", "outliers", "maps", "outlying-values.csv", "outlying-values.png", "components")
"""Files and folders that an exploration writes."""


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
    OSError
        If a file cannot be written.
    """
    clips = _clips(findings)
    folder.write_table("clips.csv", clips)
    for number, space in enumerate(findings.spaces):
        _write_space(findings, space, f"{number}-{_file_name(space.space.name)}", options, folder)
    if findings.frame_outliers is not None:
        folder.write_table("outlying-values.csv", coefficients.table(findings.frame_outliers))
        png.write(coefficients.figure(findings.frame_outliers), folder.path("outlying-values.png"))
    text = markdown.text(sections(findings))
    replace_text(folder.path(TEXT), text + "\n")
    return Outcome(findings, text, folder.finish(command, {}))


def _file_name(name: str) -> str:
    """Return a name as a part of a file's name."""
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in name)[:80]


def _clips(findings: Findings) -> pd.DataFrame:
    """Return a row per clip with what every space says of it."""
    return findings.collection.table


def _write_space(
    findings: Findings, space: SpaceFindings, stem: str, options: Exploration, folder: Folder
) -> None:
    """Write the files of one extractor and view."""
    clips = findings.collection.table["clip"].tolist()
    if space.map is not None:
        for column, labels in findings.labels.items():
            title = f"{space.space.name}\n{map_figure.caption(space.map, {column: space.agreements[column]})}"
            figure = map_figure.figure(space.map, clips, column, labels, title)
            png.write(figure, folder.path(f"maps/{stem}.{_file_name(column)}.png"))
        if options.animate and len(space.map.stages):
            write_gif(
                space.map.stages,
                next(iter(findings.labels.values()), [""] * len(clips)),
                folder.path(f"maps/{stem}.gif"),
            )
    if space.outliers is not None:
        outliers.write(folder.path(f"outliers/{stem}.csv"), space.outliers, clips)
    if space.frame_components is not None:
        png.write(components.figure(space.frame_components), folder.path(f"components/{stem}.png"))
