"""Descriptions of figures: what is drawn, without how; `png` and `vega` draw them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bench.types import Score


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a figure.

    Parameters
    ----------
    ticks : bool
        Whether its values mean something.
    """

    title: str
    log: bool = False
    integer: bool = False
    ticks: bool = True


@dataclass(frozen=True, slots=True)
class Lines:
    """Scores with intervals over a number, a line per name.

    Parameters
    ----------
    lines : Mapping[str, Mapping[float, Score]]
        Name -> position on the x axis -> score.
    interval : str
        What the intervals are, for the title of the y axis; empty for scores without intervals.
    """

    title: str
    x: Axis
    y: Axis
    lines: Mapping[str, Mapping[float, Score]]
    interval: str = "95 % intervals"


@dataclass(frozen=True, slots=True)
class Point:
    """A point, its colour and its shape by their names, and the interval of its y."""

    name: str
    x: float
    y: float
    colour: str
    shape: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Points:
    """Points in the plane.

    Parameters
    ----------
    colour, shape : str
        Titles of the legends.
    front : bool
        Whether a line joins the points with the highest y among all with a smaller x.
    background : tuple[str, ...]
        Names of colours that are grey in a file, below the others.
    diagonal : bool
        Whether a line shows where x and y, both in [0, 1], are the same; a file has the intervals too then.
    """

    title: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    colour: str
    shape: str = ""
    front: bool = False
    background: tuple[str, ...] = ()
    diagonal: bool = False


@dataclass(frozen=True, slots=True)
class Bars:
    """Numbers of categories, a bar per name beside each other.

    Parameters
    ----------
    bars : Mapping[str, Mapping[str, float]]
        Name -> category -> number; all names have the categories of the first.
    """

    title: str
    x: Axis
    y: Axis
    bars: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """Counts of true labels (rows) and predicted labels (columns), shape=(n_classes, n_classes)."""

    title: str
    counts: pd.DataFrame


@dataclass(frozen=True, slots=True)
class RankDiagram:
    """A critical-difference diagram (Demsar, JMLR 7, 2006).

    Parameters
    ----------
    ranks : Mapping[str, float]
        Name -> mean rank, the best first.
    critical : float
        Difference of mean ranks from which two systems differ.
    """

    ranks: Mapping[str, float]
    critical: float


Figure = Lines | Points | Bars | Matrix | RankDiagram
