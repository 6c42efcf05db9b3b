"""The map as a Parquet file, which embedding-atlas and tables open."""

from pathlib import Path

import pandas as pd

from bench.files import replace_table
from bench.report.map.data import MapData, is_number


def table(data: MapData) -> pd.DataFrame:
    """Return a row per clip: clip, path, x and y of the first view, the columns, x and y of the other views.

    A column whose name is taken already has a number behind its name, such as ``path 2``.
    """
    values: dict[str, object] = {"clip": list(data.clips), "path": list(data.paths or data.clips)}
    first = data.views[0]
    values |= {"x": first.points[:, 0], "y": first.points[:, 1]}
    for name, column in data.columns.items():
        values[_free(name, values)] = column if is_number(column) else pd.array(list(column), dtype="string")
    for view in data.views[1:]:
        for axis, coordinates in zip("xy", view.points.T, strict=True):
            values[_free(f"{axis} {view.extractor}, {view.name}", values)] = coordinates
    return pd.DataFrame(values)


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


def _free(name: str, taken: dict[str, object]) -> str:
    """Return a name, or if it is taken, the name with the first free number."""
    names = (name, *(f"{name} {number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in names if candidate not in taken)
