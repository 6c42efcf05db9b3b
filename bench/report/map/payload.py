"""The content of a map as JSON values: strings once, numbers as base64 of little-endian arrays."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.report.map import words
from bench.report.map.data import Column, MapData, MapView, Points, is_number

MOST_EMBEDDED = 1000
"""Largest number of previews that go into the page itself: some 4 MB; more stay files beside it."""

FULL_SCALE = 32767
"""Coordinate of a point at the edge of a map."""


def payload(data: MapData, folder: Path | None = None) -> dict[str, Any]:
    """Return the values from which the page draws a map.

    Parameters
    ----------
    folder : Path | None
        Folder of the page, in which previews are that do not go into it; None for a page without files.

    Raises
    ------
    ValueError
        If a preview that does not go into the page is outside its folder.
    """
    paths = [] if list(data.paths) == list(data.clips) else list(data.paths)
    return {
        "title": data.title,
        "clips": list(data.clips),
        "paths": paths,
        "views": [_view(view) for view in data.views],
        "columns": [_column(name, values) for name, values in data.columns.items()],
        "sound": _sound(data.previews, folder),
    }


def _view(view: MapView) -> dict[str, Any]:
    sentences = words.sentences(view.faithfulness, view.agreements) if view.faithfulness else []
    values = {"points": _encoded(_integers(view.points)), "spans": _spans(view.points)}
    columns = [_column(name, column) for name, column in view.columns.items()]
    return {
        "extractor": view.extractor,
        "name": view.name,
        "sentences": sentences,
        "columns": columns,
        **values,
    }


def _spans(points: Points) -> list[float]:
    """Return the width and the height of a map, the larger one 1."""
    spans = np.ptp(points, axis=0)
    return [round(float(span / (spans.max() or 1)), 4) for span in spans]


def _integers(points: Points) -> npt.NDArray[np.int16]:
    """Return centred points as integers, with one scale for both axes."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = (high - low).max() / 2 or 1
    integers: npt.NDArray[np.int16] = np.rint((points - (low + high) / 2) / half * FULL_SCALE).astype("<i2")
    return integers


def _column(name: str, values: Column) -> dict[str, Any]:
    """Return a column: the number of every clip, or its code and the classes, most frequent first."""
    if is_number(values):
        return {"name": name, "numbers": _encoded(np.asarray(values, dtype="<f4"))}
    counts = pd.Series(list(values), dtype=object).value_counts()
    classes = sorted(counts.index, key=lambda label: (label == "", -counts[label], label))
    codes = pd.Series(range(len(classes)), index=classes)[list(values)].to_numpy()
    return {"name": name, "classes": classes, "codes": _encoded(codes.astype(_code_type(len(classes))))}


def _code_type(n_classes: int) -> str:
    """Return the smallest type that has a code for every class; the page derives it in the same way."""
    return "u1" if n_classes <= 2**8 else "<u2" if n_classes <= 2**16 else "<u4"


def _encoded(values: npt.NDArray[Any]) -> str:
    """Return the bytes of an array as base64."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _sound(previews: Sequence[Path | None], folder: Path | None) -> dict[str, Any] | None:
    """Return the previews themselves as base64, or their paths relative to the page; None for no sound."""
    files = [preview for preview in previews if preview]
    if not files:
        return None
    if len(files) <= MOST_EMBEDDED:
        encoded = [base64.b64encode(preview.read_bytes()).decode() if preview else "" for preview in previews]
        return {"data": encoded}
    if folder is None or not all(preview.is_relative_to(folder) for preview in files):
        raise ValueError(f"{len(files)} previews must be files in the folder of the page, {folder}")
    links = [preview.relative_to(folder).as_posix() if preview else "" for preview in previews]
    return {"files": links}
