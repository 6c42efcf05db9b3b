"""Figures of the criteria for a number of clusters."""

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt
import pandas as pd

from bench.exploration.criteria import Criteria, Curve
from bench.report.figures import Axis, Lines
from bench.types import Score

TITLES: Mapping[str, tuple[str, str]] = {
    "silhouette": ("Silhouette of k clusters", "mean silhouette"),
    "stability": ("Agreement of the clusters of two halves of the clips", "adjusted Rand index"),
    "bic": ("BIC of k Gaussians (lower is better)", "BIC (nats)"),
}
"""Figure -> its title and that of its y axis."""

NAMES: Mapping[str, str] = {
    "silhouette": "these clips",
    "stability": "these clips",
    "bic": "diagonal Gaussians",
    "bic_full": "full Gaussians",
}
"""Curve -> name of its line."""


def figures(criteria: Criteria) -> dict[str, Lines]:
    """Return a figure of every criterion by its name; the BIC of all Gaussians is one.

    The bars at the line of structureless data are the mean and two standard deviations of its draws.
    """
    by_figure: dict[str, dict[str, dict[float, Score]]] = {}
    has_nulls = any(len(curve.null_mean) for curve in criteria.curves.values())
    for name, curve in criteria.curves.items():
        lines = by_figure.setdefault(name.partition("_")[0], {})
        lines[NAMES[name]] = _line(criteria, curve)
        if len(curve.null_mean):
            lines["structureless data"] = _null_line(criteria, curve)
    x = Axis("number of clusters", integer=True)
    interval = "± 2 sd of structureless data" if has_nulls else ""
    return {
        name: Lines(TITLES[name][0], x, Axis(TITLES[name][1]), lines, interval)
        for name, lines in by_figure.items()
    }


def _line(criteria: Criteria, curve: Curve) -> dict[float, Score]:
    """Return the values of the data where they are defined."""
    pairs = zip(criteria.numbers.tolist(), curve.values.tolist(), strict=True)
    return {number: Score("", value) for number, value in pairs if value == value}


def _null_line(criteria: Criteria, curve: Curve) -> dict[float, Score]:
    """Return the means of structureless data and their spread."""
    rows = zip(criteria.numbers.tolist(), curve.null_mean.tolist(), curve.null_sd.tolist(), strict=True)
    return {number: Score("", mean, low=mean - 2 * sd, high=mean + 2 * sd) for number, mean, sd in rows}


def table(criteria: Criteria) -> pd.DataFrame:
    """Return a row per number of clusters, with every criterion, and that of structureless data."""
    columns: dict[str, npt.NDArray[Any]] = {"clusters": criteria.numbers}
    for name, curve in criteria.curves.items():
        columns[name] = curve.values
        if len(curve.null_mean):
            columns |= {f"{name}_structureless": curve.null_mean, f"{name}_structureless_sd": curve.null_sd}
    return pd.DataFrame(columns)
