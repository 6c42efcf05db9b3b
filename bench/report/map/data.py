"""What a map of clips shows, without a file format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.metrics.neighbours import Agreement, Faithfulness

Points = npt.NDArray[np.floating]
"""Places of clips in the plane, shape=(n_clips, 2)."""

Column = Sequence[str] | npt.NDArray[np.floating]
"""A text (empty if unknown) or a number (NaN if unknown) of every clip."""


@dataclass(frozen=True, slots=True, eq=False)
class MapView:
    """The places of the clips by one extractor and layer.

    Parameters
    ----------
    extractor : str
        Views of the same extractor are positions of one slider, in their order.
    name : str
        Layer, pooling and method, such as ``layer 3, mean, UMAP``.
    points : Points, shape=(n_clips, 2)
        All finite; both axes have the same unit.
    columns : Mapping[str, Column]
        Columns of this view alone, such as its clusters; names are those of no column of the map.
    agreements : Mapping[str, Agreement]
        Label column -> how often neighbours share a label.
    """

    extractor: str
    name: str
    points: Points
    faithfulness: Faithfulness | None = None
    columns: Mapping[str, Column] = field(default_factory=dict)
    agreements: Mapping[str, Agreement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class MapData:
    """A map of clips.

    Parameters
    ----------
    title : str
        Title of the page, such as the name of the data set.
    clips : Sequence[str]
        Ids.
    paths : Sequence[str]
        Paths as a reader should see them; empty for none.
    views : Sequence[MapView]
        One or more; the page opens with the first.
    columns : Mapping[str, Column]
        Columns of every view. The page opens with the colours of the first.
    previews : Sequence[Path | None]
        A short MP3 file of every clip, None for a clip without one; empty for no sound.
    """

    title: str
    clips: Sequence[str]
    paths: Sequence[str]
    views: Sequence[MapView]
    columns: Mapping[str, Column]
    previews: Sequence[Path | None] = ()

    def __post_init__(self) -> None:
        n_clips = len(self.clips)
        lengths = {
            **{f"column {name}": len(values) for name, values in self.columns.items()},
            **{f"view {view.extractor}, {view.name}": len(view.points) for view in self.views},
            **{
                f"column {name} of {view.extractor}, {view.name}": len(values)
                for view in self.views
                for name, values in view.columns.items()
            },
            "paths": len(self.paths) or n_clips,
            "previews": len(self.previews) or n_clips,
        }
        for name, length in lengths.items():
            if length != n_clips:
                raise ValueError(f"map of {n_clips} clips: {name} has {length} values")
        if not self.views or not all(np.isfinite(view.points).all() for view in self.views):
            raise ValueError("a map needs one or more views with finite points")


def is_number(values: Column) -> bool:
    """Return whether a column holds numbers."""
    return isinstance(values, np.ndarray) and np.issubdtype(values.dtype, np.number)
