"""Output: hits -> a table for people, JSON and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import shorten
from typing import Any

import msgspec
import pandas as pd
from tabulate import tabulate

from bench.errors import readable
from bench.files import indented_json
from bench.paths import path_of
from bench.request import HitFormat, Search
from bench.retrieval.records import CaptionKind, Hit

COLUMNS = ("id", "clip", "path", "start", "end", "score")
"""Columns of the frame before those of labels."""

TEXTS = ("cluster", "title")
"""Columns behind those of labels."""

SHOWN_KINDS: Sequence[CaptionKind] = ("caption", "transcript", "tags", "acoustics")
"""Kinds of texts, of which the table for people shows the first that a clip has."""

LABELS_WIDTH, TEXT_WIDTH = 40, 50
"""Largest number of letters of the labels and of a text in the table for people."""


def write(hits: Sequence[Hit], form: HitFormat) -> str:
    """Return hits in a form."""
    if form == "json":
        return indented_json([fields(hit) for hit in hits])
    if form == "csv":
        from bench.report.writers.csv import text  # loads scikit-learn, which takes a second

        return text(frame(hits))
    return table(hits) + "\n"


def title(search: Search) -> str:
    """Return what a search looks for."""
    if search.id is not None:
        return f"like chunk {search.id}"
    return f"like {search.audio}" if search.audio else f"like '{search.text}'"


def fields(hit: Hit) -> dict[str, Any]:
    """Return a hit as JSON has it."""
    values: dict[str, Any] = msgspec.to_builtins(hit)
    return {**values, "path": readable(str(path_of(hit.path)))}


def frame(hits: Sequence[Hit]) -> pd.DataFrame:
    """Return a row per hit: its place and score, a column per label, and the first text of every kind."""
    labels = sorted({name for hit in hits for name in hit.labels})
    kinds = [kind for kind in SHOWN_KINDS if any(_text(hit, kind) for hit in hits)]
    rows = []
    for hit in hits:
        values = fields(hit)
        rows.append(
            [values[name] for name in COLUMNS]
            + [hit.labels.get(name, "") for name in labels]
            + [_text(hit, kind) for kind in kinds]
            + [values[name] for name in TEXTS]
        )
    names = [*COLUMNS, *(_free(name) for name in labels), *kinds, *TEXTS]
    return pd.DataFrame(rows, columns=names)


def table(hits: Sequence[Hit]) -> str:
    """Return hits as a table for people."""
    headers = ["id", "clip", "from", "to", "score", "labels", "text", "cluster"]
    rows = [
        [
            str(hit.id),
            readable(hit.clip),
            f"{hit.start:.2f}",
            f"{hit.end:.2f}",
            f"{hit.score:.3f}",
            shorten(
                ", ".join(f"{name} {value}" for name, value in hit.labels.items()),
                LABELS_WIDTH,
                placeholder="...",
            ),
            shorten(caption(hit), TEXT_WIDTH, placeholder="..."),
            hit.title or hit.cluster,
        ]
        for hit in hits
    ]
    filled = [column for column in range(len(headers)) if column < 5 or any(row[column] for row in rows)]
    text: str = tabulate(
        [[row[column] for column in filled] for row in rows],
        headers=[headers[column] for column in filled],
        disable_numparse=True,
        colalign=[
            "right" if headers[column] in {"id", "from", "to", "score"} else "left" for column in filled
        ],
    )
    return text


def caption(hit: Hit) -> str:
    """Return the text that says most about a hit; empty without texts."""
    return next(filter(None, (_text(hit, kind) for kind in SHOWN_KINDS)), "")


def _text(hit: Hit, kind: CaptionKind) -> str:
    """Return the texts of a kind about the part of the file that a hit is, or about the whole file."""
    near = [
        each for each in hit.captions if each.kind == kind and each.start < hit.end and each.end > hit.start
    ]
    return " ".join(each.text for each in near)


def _free(label: str) -> str:
    """Return the name of a label's column, which is no other column's."""
    return f"{label} 2" if label in {*COLUMNS, *TEXTS, *SHOWN_KINDS} else label
