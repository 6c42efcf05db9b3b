"""Formats of a report: one module each, with a function `write` from the content to the text of a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.report.sections import Content
from bench.report.writers import csv, html, json, junit, latex, markdown, model_index

Write = Callable[[Content], str]


@dataclass(frozen=True, slots=True)
class Format:
    """A file format of a report: the name of its file, and the function that makes its text."""

    file: str
    write: Write


FORMATS: Mapping[str, Format] = {
    "md": Format("leaderboard.md", markdown.write),
    "html": Format("report.html", html.write),
    "csv": Format("leaderboard.csv", csv.write),
    "json": Format("leaderboard.json", json.write),
    "latex": Format("leaderboard.tex", latex.write),
    "model-index": Format("model-index.yml", model_index.write),
    "junit": Format("junit.xml", junit.write),
}
"""Name of a format, as of ``bench report --format``, -> the format."""
