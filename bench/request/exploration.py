"""The fields of an exploration, each with the flags of `bench explore` and its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bench.request.option import option

MAPS = ("umap", "pca", "tsne", "none")

SHARED = (
    "audio",
    "extractors",
    "preprocess",
    "parent_pattern",
    "near_copies",
    "device",
    "precision",
    "runtime",
)
"""Options of `bench run` that `bench explore` has too."""

Transfer = Literal["link", "copy"]
"""How the files of a cluster get into its folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What to compute from the embeddings of a collection.

    Parameters
    ----------
    components : float
        Share of the variance that the principal components hold, in (0, 1).
    suspects : str
        Folder of a run; empty for none.
    plant_errors : float
        Share of the labels to plant errors in, in [0, 1); 0 for none.
    """

    map: str = option("umap", "choice", "Map of the clips.", "--map", default="umap", choices=MAPS)
    clusters: str = option(
        "auto",
        "text",
        "auto, bic, hdbscan, a number of clusters, or none.",
        "--clusters",
        default="auto",
        metavar="NAME|K",
    )
    color: tuple[str, ...] = option(
        (), "list", "Label columns of the pictures and scores.  [default: every column]", "--color"
    )
    outliers: bool = option(
        False, "flag", "Search for outlying clips, and for outlying values of frames.", "--outliers"
    )
    normalisation: bool = option(
        False, "flag", "Compare the mean and variance of every feature of frames with 0 and 1.", "--cmvn"
    )
    components: float = option(
        0.0,
        "share",
        "Count the principal components that hold this share of the variance, such as 0.85.",
        "--components",
        default="0",
        metavar="F",
    )
    duplicates: bool = option(False, "flag", "Search for copies, also by a codec or a gain.", "--duplicates")
    suspects: str = option(
        "",
        "text",
        "Search for label errors by the predictions of this run.",
        "--suspects",
        metavar="OUT",
    )
    plant_errors: float = option(
        0.0,
        "share",
        "Plant this share of label errors, and count those that the search finds.",
        "--plant-errors",
        default="0",
        metavar="F",
    )
    animate: bool = option(False, "flag", "Write the stages of the map as a GIF.", "--animate")
    export_clusters: Transfer | None = option(
        None,
        "choice",
        "Write a folder per cluster, with links to its files or copies.",
        "--export-clusters",
        choices=get_args(Transfer),
    )
    with_audio: bool = option(False, "flag", "Add 3 s of every clip to the page.", "--with-audio")
    out: Path = option(Path("explore-out"), "folder", "Folder of the files.", "--out", default="explore-out")
    seed: int = option(0, "seed", "Seed of maps, clusters and searches.", "--seed", default="0", metavar="N")
