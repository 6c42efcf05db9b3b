"""The column of ``--normalise``: whether a data set has it for every clip, and whether it is the label."""

import pandas as pd

from bench.errors import UsageError, shortlist
from bench.request import Request
from bench.types import Dataset, Labels


def normalise_group(dataset: Dataset, request: Request) -> Labels | None:
    """Return the value per clip of the column that features are z-scored per; None without ``--normalise``.

    Raises
    ------
    UsageError
        If the data set has no such column, or clips have no value.
    """
    column = request.normalise
    if not column:
        return None
    option = f"--normalise {column}: {dataset.source}"
    if column not in dataset.labels:
        raise UsageError(f"{option} has no column '{column}'; expected one of {shortlist(dataset.labels)}")
    group = dataset.table[column].to_numpy(str)
    empty = dataset.table["clip"][group == ""].tolist()
    if empty:
        raise UsageError(
            f"{option}: {len(empty)} of {len(group)} clips have no {column} ({shortlist(empty)}); fill the "
            "column, or leave these clips out"
        )
    return group


def is_label(group: Labels, y: Labels) -> bool:
    """Return whether the groups of the labelled clips are the classes, under whatever names."""
    pairs = pd.DataFrame({"group": group, "y": y})[y != ""].drop_duplicates()
    return bool(pairs["group"].is_unique and pairs["y"].is_unique)
