"""Page: hits as one HTML file that plays them and needs no network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from bench import audio
from bench._version import __version__
from bench.errors import ClipError, UsageError, message, readable, reason
from bench.files import replace_text
from bench.paths import path_of
from bench.retrieval import output
from bench.retrieval.records import Hit
from bench.types import Clip

SECONDS = 10.0
"""Longest part of a hit that a page plays, in s: some 10 kB."""


@dataclass(frozen=True, slots=True)
class Row:
    """A hit on a page.

    Parameters
    ----------
    sound : str
        Address of its audio; empty if it cannot be played.
    fault : str
        Why it cannot be played.
    """

    hit: Hit
    path: str
    text: str
    sound: str
    fault: str


def write(path: Path, query: str, hits: Sequence[Hit]) -> None:
    """Write the page of hits; it says which files are not there any more.

    Parameters
    ----------
    query : str
        What was looked for.

    Raises
    ------
    UsageError
        If the file cannot be written, or libsndfile writes no MP3.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.retrieval", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = [_row(hit) for hit in hits]
    text = environment.get_template("page.html.j2").render(query=query, rows=rows, version=__version__)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, text)
    except OSError as error:
        raise UsageError(
            f"--html {path}: cannot be written ({reason(error)}); choose another file"
        ) from error


def _row(hit: Hit) -> Row:
    """Return a hit with its audio, or with the reason why it has none."""
    path = path_of(hit.path)
    sound = fault = ""
    if path.is_file():
        try:
            clip = Clip(id=hit.clip, path=path, start=hit.start, end=hit.end)
            sound = "data:audio/mpeg;base64," + base64.b64encode(audio.preview(clip, SECONDS)).decode()
        except ClipError as error:
            fault = message(error)
    else:
        fault = "the file is not there any more"
    return Row(hit, readable(str(path)), output.caption(hit), sound, fault)
