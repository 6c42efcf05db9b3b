"""Figures as Vega-Lite specifications, for the page."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench.report.figures import Axis, Figure, Lines, Points

Spec = dict[str, Any]

CONFIG: Mapping[str, Any] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "gridColor": "#88888840",
        "domainColor": "#888888",
        "tickColor": "#888888",
        "labelLimit": 160,
    },
    "legend": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "labelLimit": 260,
        "symbolLimit": 60,
        "symbolOpacity": 1,
        "symbolBaseFillColor": "#888888",
        "symbolBaseStrokeColor": "#888888",
    },
    "view": {"stroke": "#88888880"},
    "range": {"category": {"scheme": "tableau10"}},
}
"""Settings of every figure: colours that are readable on light and on dark."""


def spec(figure: Figure) -> Spec:
    """Return the specification of a figure.

    Raises
    ------
    KeyError
        If this kind of figure is drawn as a PNG only.
    """
    return RENDERERS[type(figure)](figure)


def lines(figure: Lines) -> Spec:
    """Return lines with their intervals as areas."""
    values = [
        {"name": name, "x": x, "y": round(score.value, 4), **_bounds(*score.bounds)}
        for name, line in figure.lines.items()
        for x, score in sorted(line.items())
    ]
    x, y = _channel("x", figure.x), _channel("y", figure.y)
    colour = {"color": {"field": "name", "type": "nominal", "title": "row"}}
    area = {"mark": {"type": "area", "opacity": 0.12}, "encoding": {"x": x, **_interval(y), **colour}}
    line = {
        "mark": {"type": "line", "point": True},
        "encoding": {"x": x, "y": y, **colour, "tooltip": _tooltip(figure.x, figure.y)},
    }
    return {
        "description": f"{figure.y.title} by {figure.x.title}",
        "data": {"values": values},
        "layer": [area, line],
    }


def points(figure: Points) -> Spec:
    """Return points, their intervals, and the line through those that no other point beats."""
    values: list[dict[str, Any]] = [
        {
            "name": point.name,
            "x": point.x,
            "y": round(point.y, 4),
            "colour": point.colour,
            "shape": point.shape,
            **_bounds(point.low, point.high),
        }
        for point in figure.points
    ]
    highest = -np.inf
    for value in sorted(values, key=lambda value: (value["x"], -value["y"])):
        value["front"] = value["y"] > highest
        highest = max(highest, value["y"])
    x, y = _channel("x", figure.x), _channel("y", figure.y)
    encoding = {"x": x, "y": y, "tooltip": _tooltip(figure.x, figure.y)}
    encoding["color"] = {"field": "colour", "type": "nominal", "title": figure.colour}
    if figure.shape:
        encoding["shape"] = {"field": "shape", "type": "nominal", "title": figure.shape}
    front = {"type": "line", "color": "#888888", "interpolate": "step-after", "strokeDash": [4, 3]}
    rule = {"type": "rule", "color": "#888888", "opacity": 0.5}
    diagonal = [_diagonal(x, y)] if figure.diagonal else []
    layers: list[Spec] = [
        {"transform": [{"filter": "datum.front"}], "mark": front, "encoding": {"x": x, "y": y}},
        {"mark": rule, "encoding": {"x": x, **_interval(y)}},
        {"mark": {"type": "point", "filled": True, "size": 90 if figure.front else 30}, "encoding": encoding},
    ]
    return {
        "description": figure.title,
        "data": {"values": values},
        "layer": layers if figure.front else [*diagonal, *layers[-1 - figure.diagonal :]],
    }


def _diagonal(x: Spec, y: Spec) -> Spec:
    """Return the line from 0 to 1 where x and y are the same."""
    mark = {"type": "line", "color": "#888888", "strokeDash": [4, 3]}
    return {
        "data": {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]},
        "mark": mark,
        "encoding": {"x": x, "y": y},
    }


def _channel(field: str, axis: Axis) -> Spec:
    """Return how a field is laid out on an axis."""
    scale: Spec = {"type": "log"} if axis.log else {"zero": False}
    settings: Spec = {"tickMinStep": 1, "format": "d"} if axis.integer else {}
    if not axis.ticks:
        settings = {"labels": False, "ticks": False}
    return {"field": field, "type": "quantitative", "title": axis.title, "scale": scale, "axis": settings}


def _bounds(low: float | None, high: float | None) -> dict[str, float]:
    return {} if low is None or high is None else {"low": round(low, 4), "high": round(high, 4)}


def _interval(y: Spec) -> Spec:
    """Return the y channels of an interval."""
    return {"y": {**y, "field": "low"}, "y2": {"field": "high"}}


def _tooltip(x: Axis, y: Axis) -> list[Spec]:
    """Return the fields that a pointer shows; coordinates only if they mean something."""
    fields: list[Spec] = [{"field": "name"}]
    if not x.ticks:
        return [*fields, {"field": "colour", "title": "label"}]
    fields += [{"field": "x", "title": x.title}, {"field": "y", "title": y.title}]
    return [*fields, {"field": "low"}, {"field": "high"}]


RENDERERS: Mapping[type, Callable[[Any], Spec]] = {Lines: lines, Points: points}
"""Kind of a figure -> function that specifies it."""
