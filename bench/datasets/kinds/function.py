"""Datasets of an installed distribution: a function that returns a path or a table."""

import importlib
from pathlib import Path

import pandas as pd

from bench.datasets.layouts import from_path, from_table
from bench.errors import UsageError, one_line
from bench.types import Card, Dataset


def load(card: Card) -> Dataset:
    """Return the dataset of the path or table that the card's function returns.

    Raises
    ------
    UsageError
        If the function cannot be imported or raises, or its path or table is not a dataset.
    """
    module, _, attribute = card.factory.partition(":")
    try:
        clips = getattr(importlib.import_module(module), attribute)()
    except Exception as error:  # a plugin may raise anything
        raise UsageError(f"{card.source}: data set '{card.name}': {one_line(error)}") from error
    if isinstance(clips, pd.DataFrame):
        return from_table(clips, card.name)
    return from_path(Path(clips), "class", Path(card.root) if card.root else None)
