"""The fields of a search in an index, each with the flags of `bench search` and its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bench.request.option import option

Merge = Literal["best", "mean", "none"]
"""How the chunks of a clip become one hit: its best or mean score, or a hit per chunk."""

HitFormat = Literal["table", "json", "csv"]
"""Form of hits on the standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for in an index; one of `id`, `audio`, `text` and `evaluate` is given.

    Parameters
    ----------
    id : int | None
        Id of a chunk whose neighbours are wanted.
    where : str
        Condition on the clips that may be hits; empty for all.
    not_same : tuple[str, ...]
        Columns in which a hit differs from the query.
    """

    id: int | None = option(
        None, "seed", "Search for what is like the chunk of this id.", "--id", metavar="N"
    )
    audio: Path | None = option(
        None, "folder", "Search for what is like this recording.", "--audio", metavar="FILE"
    )
    text: str = option("", "text", "Search for what is described so.", "--text", metavar="TEXT")
    evaluate: str = option(
        "", "text", "Score the neighbours of all clips by this label column.", "--evaluate", metavar="LABEL"
    )
    sentences: str = option(
        "",
        "text",
        "Sentence encoder of --text; none: words alone.  [default: where that of the index was]",
        "--sentences",
        metavar="FOLDER",
    )
    k: int = option(10, "count", "Number of hits.", "-k", default="10", metavar="K")
    where: str = option(
        "",
        "text",
        "Search among these clips only, such as \"speaker != '84' and seconds > 2\".",
        "--where",
        metavar="CONDITION",
    )
    not_same: tuple[str, ...] = option(
        (), "list", "Leave out clips with the value of the query in these columns.", "--not-same"
    )
    merge: Merge = option(
        "best",
        "choice",
        "A hit per clip, by its best or its mean chunk; none: a hit per chunk.",
        "--merge",
        default="best",
        choices=get_args(Merge),
    )
    format: HitFormat = option(
        "table", "choice", "Form of the hits.", "--format", default="table", choices=get_args(HitFormat)
    )
    html: Path | None = option(None, "folder", "Write a page that plays the hits.", "--html", metavar="FILE")
