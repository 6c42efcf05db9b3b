"""Figures of scores with their intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.types import Score


@dataclass(frozen=True, slots=True)
class Axes:
    """The words of a figure."""

    title: str
    x: str
    y: str
    log: bool = False


def lines(scores: Mapping[str, Mapping[float, Score]], axes: Axes, path: Path) -> None:
    """Write a line per name over its scores' places, with their intervals as bars beside each other."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    FigureCanvasAgg(figure)
    plot = figure.add_subplot()
    places = sorted({x for line in scores.values() for x in line})
    step = min(np.diff(np.log(places) if axes.log else places), default=1.0) * 0.3 / max(len(scores), 1)
    for number, (name, line) in enumerate(scores.items()):
        shift = (number - (len(scores) - 1) / 2) * step
        xs = [x * np.exp(shift) if axes.log else x + shift for x in sorted(line)]
        values = [line[x] for x in sorted(line)]
        bars = [
            [max(0.0, s.value - s.bounds[0]) for s in values],
            [max(0.0, s.bounds[1] - s.value) for s in values],
        ]
        label = name.replace("$", r"\$").removeprefix("_")
        plot.errorbar(xs, [s.value for s in values], yerr=bars, marker="o", capsize=3, label=label)
    if axes.log:
        plot.set_xscale("log")
    plot.set_xticks(places, [f"{x:g}" for x in places])
    plot.minorticks_off()
    plot.set_title(axes.title, parse_math=False)
    plot.set_xlabel(axes.x, parse_math=False)
    plot.set_ylabel(f"{axes.y}, with 95 % intervals", parse_math=False)
    plot.grid(alpha=0.3)
    plot.legend(bbox_to_anchor=(1.01, 1), loc="upper left", fontsize=8)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure that is the same, byte by byte, whenever it is drawn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, metadata={"Software": None})
