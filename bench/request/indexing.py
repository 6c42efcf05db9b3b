"""The fields of an index, each with the flags of `bench index` and its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.request.option import option

ENCODING = ("device", "precision", "runtime")
"""Options of `bench run` that say how an extractor computes."""

READING = ("audio", "parent_pattern")
"""Options of `bench run` that say how a data set is read; `bench index add` has them too."""

INDEXED = (*READING, "extractors", "preprocess", *ENCODING)
"""Options of `bench run` that `bench index` has too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexing:
    """How the vectors of an index are made and found.

    Parameters
    ----------
    chunk : str
        ``SECONDS:HOP`` of the chunks of a clip, in s; empty for whole clips.
    recall : float
        Share of the exact neighbours that the engine should return, in (0, 1).
    to : Path
        Folder of the index.
    """

    chunk: str = option(
        "",
        "text",
        "Length and hop of the chunks of a clip, in s, such as 10:5.  [default: whole clips]",
        "--chunk",
        metavar="S:HOP",
    )
    engine: str = option(
        "auto",
        "text",
        "exact, hnsw, ivf, lance, or the name of a plugin; auto: exact up to a million chunks, else ivf.",
        "--engine",
        default="auto",
        metavar="NAME",
    )
    recall: float = option(
        0.95,
        "share",
        "Share of the exact neighbours that an engine should return.",
        "--recall",
        default="0.95",
        metavar="F",
    )
    to: Path = option(Path("bench-index"), "folder", "Folder of the index.", "--to", default="bench-index")
