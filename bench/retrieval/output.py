"""Output: hits -> a table for people, JSON and CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

LIMITS = {"labels": 40, "text": 50, "cluster": 40}
"""Column of the table for people that is cut -> largest number of letters of a value."""

LEAST = 12
"""Number of letters that such a column has on the narrowest terminal."""

WIDTH = 160
"""Width of the table where there is no terminal, in characters."""


def write(hits: Sequence[Hit], form: HitFormat, width: int = WIDTH) -> str:
    """Return hits in a form; a table for people is cut to a width in characters."""
    if form == "json":
        return indented_json([fields(hit) for hit in hits])
    if form == "csv":
        from bench.report.writers.csv import text  # loads scikit-learn, which takes a second

        return text(frame(hits))
    return table(hits, width) + "\n"


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


def table(hits: Sequence[Hit], width: int = WIDTH) -> str:
    """Return hits as a table for people; labels and texts are cut to its width in characters.

    Where even short ones are too wide, there is no column of clusters.
    """
    rows = [
        {
            "id": str(hit.id),
            "clip": readable(hit.clip),
            "from": f"{hit.start:.2f}",
            "to": f"{hit.end:.2f}",
            "score": f"{hit.score:.3f}",
            "labels": ", ".join(f"{name} {value}" for name, value in hit.labels.items()),
            "text": " ".join(caption(hit).split()),
            "cluster": hit.title or hit.cluster,
        }
        for hit in hits
    ]
    headers = ["id", "clip", "from", "to", "score", "labels", "text", "cluster"]
    filled = [name for name in headers if name not in LIMITS or any(row[name] for row in rows)]
    widths = {name: max((len(row[name]) for row in rows), default=0) for name in filled}
    limits = _limits(widths, width)
    if "cluster" in limits and _full(widths, limits) > width:
        del widths["cluster"]
        filled.remove("cluster")
        limits = _limits(widths, width)
    text: str = tabulate(
        [[_cut(row[name], limits.get(name)) for name in filled] for row in rows],
        headers=filled,
        disable_numparse=True,
        colalign=["right" if name in {"id", "from", "to", "score"} else "left" for name in filled],
    )
    return text


def _limits(widths: Mapping[str, int], width: int) -> dict[str, int]:
    """Return the number of letters of each column that is cut, the widest first, so that a table fits."""
    limits = {name: min(widths[name], most) for name, most in LIMITS.items() if name in widths}
    while limits and _full(widths, limits) > width:
        widest = max(limits, key=limits.__getitem__)
        if limits[widest] <= LEAST:
            break
        limits[widest] -= 1
    return limits


def _full(widths: Mapping[str, int], limits: Mapping[str, int]) -> int:
    """Return the width of a table whose columns are as wide as their values, or cut."""
    # tabulate puts two blanks between columns, and makes one as wide as its header and two more
    return sum(max(limits.get(name, size), len(name) + 2) + 2 for name, size in widths.items()) - 2


def _cut(text: str, limit: int | None) -> str:
    """Return a text of at most so many letters."""
    return text if limit is None or len(text) <= limit else text[: limit - 3].rstrip(" ,") + "..."


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
