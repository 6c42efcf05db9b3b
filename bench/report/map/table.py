"""The map as a Parquet file, which embedding-atlas and tables open."""

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from bench.files import replace_table
from bench.report.map.data import Column, MapData, is_number


def table(data: MapData) -> pd.DataFrame:
    """Return a row per clip: clip, path, x and y of the first view, columns, and those of the other views.

    A column whose name is taken already has a number behind its name, such as ``path 2``.
    """
    first, *others = data.views
    values: dict[str, object] = {"clip": list(data.clips), "path": list(data.paths or data.clips)}
    values |= {"x": first.points[:, 0], "y": first.points[:, 1]}
    for name, column in {**data.columns, **first.columns}.items():
        values[free_name(name, values)] = _storable(column)
    for view in others:
        x, y = view.points.T
        for name, column in {"x": x, "y": y, **view.columns}.items():
            values[free_name(f"{name} {view.extractor}, {view.name}", values)] = _storable(column)
    return pd.DataFrame(values)


def _storable(column: Column) -> object:
    return column if is_number(column) else pd.array(list(column), dtype="string")


def write_table(path: Path, data: MapData) -> None:
    """Write the map as a Parquet file.

    ``embedding-atlas map.parquet --x x --y y --text clip`` opens it
    (https://apple.github.io/embedding-atlas/tool.html).

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    replace_table(path, table(data))


def free_name(name: str, taken: Collection[str]) -> str:
    """Return a name, or if it is taken, the name with the first free number."""
    names = (name, *(f"{name} {number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in names if candidate not in taken)
