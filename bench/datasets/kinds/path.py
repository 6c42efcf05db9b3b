"""Datasets of a folder or a manifest."""

from pathlib import Path
from typing import Any

from bench.datasets import fetch
from bench.datasets.columns import recognise
from bench.datasets.layouts import load
from bench.datasets.params import call
from bench.datasets.transformations import Transformations
from bench.types import Card, Dataset


def from_card(card: Card, home: Path, /, path: str, **options: Any) -> Dataset:
    """Return the dataset of a path, transformed.

    Parameters
    ----------
    path : str
        Folder or manifest, relative to the card or its download.
    options
        Fields of `Transformations`.

    Raises
    ------
    UsageError
        If an option is unknown, or the path or a transformation does not fit.
    """
    where = f"{card.source}: params"
    transformations = call(Transformations, params=options, where=where, siblings=["path"])
    source = fetch.located(card, home, path)
    folder = source if source.is_dir() else source.parent
    clips = load(source, "class", fetch.audio_folder(card, source), rename=transformations.rename)
    return recognise(transformations.apply(clips, card, folder))
