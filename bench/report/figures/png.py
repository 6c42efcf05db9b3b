"""Figures as PNG files, drawn by matplotlib; the same figure gives the same bytes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import figure as plots
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import MaxNLocator

from bench.metrics import Floats
from bench.report.figures import Axis, Bars, Figure, Lines, Matrix, Points, RankDiagram, fonts
from bench.report.figures.palette import COLOURS, GREY
from bench.types import Score

END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
"""Last chunk of a PNG file."""

MOST_WITH_COUNTS = 25
"""Largest number of classes for which a matrix shows counts."""

MOST_WITH_NAMES = 80
"""Largest number of classes for which a matrix shows names."""

MOST_ON_AXIS = 110
"""Largest number of characters that names below bars have beside each other; more are tilted."""

MARKERS = "o^sDvP*X"
"""Shapes of points: the first for as many names as there are colours, and so on."""


def write(figure: Figure, path: Path) -> None:
    """Draw a figure into a PNG file.

    Raises
    ------
    KeyError
        If this kind of figure is drawn on the page only.
    """
    save(lambda: RENDERERS[type(figure)](_drawable(figure)), _texts(figure), path)


def save(draw: Callable[[], plots.Figure], texts: Iterable[str], path: Path) -> None:
    """Write what a function draws to a PNG file, in fonts that have the characters of texts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context({"font.family": fonts.families(texts)}):
        draw().savefig(path, format="png", dpi="figure", metadata={"Software": None})


def legend(figure: Figure) -> list[tuple[str, str]]:
    """Return what stands for texts that no installed font can show, and each text; titles are left out."""
    names = _names(figure)
    axes = _axes(figure)
    signs = [*fonts.by_number(names), *map(fonts.drawable, axes)]
    return [(sign, text) for sign, text in zip(signs, [*names, *axes], strict=True) if sign != text]


def _names(figure: Figure) -> list[str]:
    """Return the names of classes, lines, bars, colours or systems in a figure."""
    if isinstance(figure, Matrix):
        return list(map(str, figure.counts.columns))
    if isinstance(figure, RankDiagram):
        return list(figure.ranks)
    if isinstance(figure, Points):
        return sorted({point.colour for point in figure.points})
    return list(figure.lines if isinstance(figure, Lines) else figure.bars)


def _texts(figure: Figure) -> list[str]:
    """Return the texts in a figure."""
    titles = [] if isinstance(figure, RankDiagram) else [figure.title]
    categories = _categories(figure) if isinstance(figure, Bars) else []
    legends = [figure.colour] if isinstance(figure, Points) else []
    return [*titles, *_axes(figure), *_names(figure), *categories, *legends]


def _axes(figure: Figure) -> list[str]:
    """Return the titles of the axes that a figure names."""
    return [] if isinstance(figure, Matrix | RankDiagram) else [figure.x.title, figure.y.title]


def _categories(figure: Bars) -> list[str]:
    """Return the categories of bars."""
    return list(next(iter(figure.bars.values()), {}))


def _drawable(figure: Figure) -> Figure:
    """Return a figure without characters that no font has: names by number, titles with question marks."""
    if all(map(fonts.is_drawable, _texts(figure))):
        return figure
    if isinstance(figure, Matrix):
        names = fonts.by_number(_names(figure))
        return Matrix(fonts.drawable(figure.title), figure.counts.set_axis(names).set_axis(names, axis=1))
    if isinstance(figure, RankDiagram):
        names = fonts.by_number(list(figure.ranks))
        return replace(figure, ranks=dict(zip(names, figure.ranks.values(), strict=True)))
    title = fonts.drawable(figure.title)
    x, y = (replace(axis, title=fonts.drawable(axis.title)) for axis in (figure.x, figure.y))
    names = _names(figure)
    signs = dict(zip(names, fonts.by_number(names), strict=True))
    if isinstance(figure, Points):
        points = tuple(replace(point, colour=signs[point.colour]) for point in figure.points)
        background = tuple(signs.get(name, name) for name in figure.background)
        colour = fonts.drawable(figure.colour)
        return replace(figure, title=title, x=x, y=y, points=points, background=background, colour=colour)
    if isinstance(figure, Bars):
        categories = fonts.by_number(_categories(figure))
        values = [dict(zip(categories, bar.values(), strict=True)) for bar in figure.bars.values()]
        return Bars(title, x, y, dict(zip(signs.values(), values, strict=True)))
    lines = dict(zip(signs.values(), figure.lines.values(), strict=True))
    return Lines(title, x, y, lines, figure.interval)


def is_whole(path: Path) -> bool:
    """Return whether there is a PNG file with the chunk that ends one."""
    return path.is_file() and path.read_bytes().endswith(END)


def canvas(width: float, height: float, dpi: int = 100) -> plots.Figure:
    """Return an empty drawing, with its size in inches."""
    drawing = plots.Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing


def lines(figure: Lines) -> plots.Figure:
    """Return a line per name; the intervals at one position stand beside each other."""
    drawing = canvas(9, 5)
    plot = drawing.add_subplot()
    positions = sorted({x for line in figure.lines.values() for x in line})
    shifts = _shifts(positions, len(figure.lines), figure.x)
    for (name, line), shift in zip(figure.lines.items(), shifts, strict=True):
        xs = [x * np.exp(shift) if figure.x.log else x + shift for x in sorted(line)]
        scores = [line[x] for x in sorted(line)]
        values = [score.value for score in scores]
        label = name.replace("$", r"\$").removeprefix("_")
        plot.errorbar(xs, values, yerr=_bars(scores), marker="o", capsize=3, label=label)
    if figure.x.log:
        plot.set_xscale("log")
    plot.set_xticks(positions, [f"{x:g}" for x in positions])
    plot.minorticks_off()
    plot.set_title(figure.title, parse_math=False)
    plot.set_xlabel(figure.x.title, parse_math=False)
    interval = f", with {figure.interval}" if figure.interval else ""
    plot.set_ylabel(f"{figure.y.title}{interval}", parse_math=False)
    plot.grid(alpha=0.3)
    plot.legend(bbox_to_anchor=(1.01, 1), loc="upper left", fontsize=8)
    return drawing


def _shifts(positions: Sequence[float], n_lines: int, axis: Axis) -> list[float]:
    """Return the shift of every line, on the logarithm of a logarithmic axis."""
    gaps = np.diff(np.log(positions) if axis.log else positions)
    step = min(gaps, default=1.0) * 0.3 / max(n_lines, 1)
    return [(number - (n_lines - 1) / 2) * step for number in range(n_lines)]


def _bars(scores: Sequence[Score]) -> list[list[float]]:
    """Return the lengths of the intervals below and above the values."""
    bounds = [(score.value, *score.bounds) for score in scores]
    return [
        [max(0.0, value - low) for value, low, _ in bounds],
        [max(0.0, high - value) for value, _, high in bounds],
    ]


def points(figure: Points) -> plots.Figure:
    """Return points by their colours, each with a shape too; a front and other intervals are on the page."""
    drawing = canvas(8, 6, dpi=200)
    plot = drawing.add_subplot()
    size = float(np.clip(12_000 / max(len(figure.points), 1), 3, 40))
    names = [name for name in _names(figure) if name not in figure.background]
    styles = {
        name: (COLOURS[i % len(COLOURS)], MARKERS[i // len(COLOURS) % len(MARKERS)])
        for i, name in enumerate(names)
    }
    styles |= {name: (GREY, MARKERS[0]) for name in _names(figure) if name in figure.background}
    for name, (colour, marker) in styles.items():
        places = [(point.x, point.y) for point in figure.points if point.colour == name]
        label = name.replace("$", r"\$").removeprefix("_")
        layer = 1 if name in figure.background else 2
        x, y = np.transpose(places)
        plot.scatter(
            x, y, s=size, c=colour, marker=marker, label=label, linewidths=0, alpha=0.8, zorder=layer
        )
    if figure.diagonal:
        _draw_diagonal(plot, figure, {name: colour for name, (colour, _) in styles.items()})
    plot.set_aspect("equal", adjustable="box" if figure.diagonal else "datalim")
    _name_axes(plot, figure)
    scale = (30 / size) ** 0.5
    title = figure.colour.replace("$", r"\$")
    plot.legend(title=title, bbox_to_anchor=(1.01, 1), loc="upper left", fontsize=8, markerscale=scale)
    return drawing


def _draw_diagonal(plot: Any, figure: Points, colours: Mapping[str, str]) -> None:
    """Draw where x and y are the same, and the interval of every point."""
    plot.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, zorder=0)
    for point in figure.points:
        if point.low is not None and point.high is not None:
            plot.plot(
                [point.x] * 2, [point.low, point.high], color=colours[point.colour], linewidth=1, alpha=0.5
            )
    plot.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def _name_axes(plot: Any, figure: Points | Bars) -> None:
    """Write the title and the names of the axes; an axis without ticks has no numbers."""
    plot.set_title(figure.title, parse_math=False, fontsize=9)
    plot.set_xlabel(figure.x.title, parse_math=False)
    plot.set_ylabel(figure.y.title, parse_math=False)
    if not figure.x.ticks:
        plot.set_xticks([])
    if not figure.y.ticks:
        plot.set_yticks([])


def bars(figure: Bars) -> plots.Figure:
    """Return bars, those of one category beside each other; the names of many categories are thinned out."""
    drawing = canvas(9, 4, dpi=200)
    plot = drawing.add_subplot()
    categories = _categories(figure)
    width = 0.8 / max(len(figure.bars), 1)
    for i, (name, values) in enumerate(figure.bars.items()):
        positions = np.arange(len(categories)) + (i - (len(figure.bars) - 1) / 2) * width
        label = name.replace("$", r"\$").removeprefix("_")
        plot.bar(positions, list(values.values()), width, label=label, color=COLOURS[i % len(COLOURS)])
    step = -(-len(categories) // MOST_WITH_COUNTS) or 1
    names = categories[::step]
    rotation = 45 if sum(map(len, names)) + len(names) > MOST_ON_AXIS else 0
    plot.set_xticks(range(0, len(categories), step), names, fontsize=8, rotation=rotation, parse_math=False)
    plot.yaxis.set_major_locator(MaxNLocator(integer=figure.y.integer))
    _name_axes(plot, figure)
    plot.grid(axis="y", alpha=0.3)
    if len(figure.bars) > 1:
        plot.legend(fontsize=8)
    return drawing


def matrix(figure: Matrix) -> plots.Figure:
    """Return a matrix in colours of the share of the true label."""
    counts = figure.counts.to_numpy()
    n_classes = len(counts)
    side = min(4 + 0.35 * n_classes, 16)
    drawing = canvas(side + 1, side)
    axes = drawing.add_subplot()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    drawing.colorbar(image, ax=axes, label="share of the true label", shrink=0.8)
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_title(figure.title, parse_math=False)
    if n_classes <= MOST_WITH_NAMES:
        size = 10 if n_classes <= MOST_WITH_COUNTS else 7
        rotation = 90 if n_classes > 4 else 0
        columns, index = list(figure.counts.columns), list(figure.counts.index)
        axes.set_xticks(range(n_classes), columns, rotation=rotation, fontsize=size, parse_math=False)
        axes.set_yticks(range(n_classes), index, fontsize=size, parse_math=False)
    if n_classes <= MOST_WITH_COUNTS:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour, fontsize=9)
    return drawing


def rank_diagram(figure: RankDiagram) -> plots.Figure:
    """Return the scale of mean ranks, the systems beside it, and bars over systems that do not differ."""
    ranks = np.array(list(figure.ranks.values()))
    half = -(-len(ranks) // 2)
    bars = cliques(ranks, figure.critical)
    drawing = canvas(10, 1.6 + 0.3 * half + 0.15 * len(bars))
    plot = drawing.add_subplot()
    low, high = 1.0, float(max(np.ceil(ranks.max()), 2))
    margin = (high - low) * 0.6
    plot.set_xlim(low - margin, high + margin)
    plot.set_ylim(-(0.6 + 0.5 * len(bars) + 0.9 * half), 2.2)
    plot.axis("off")
    _scale(plot, low, high, figure.critical)
    for number, (first, last) in enumerate(bars):
        y = -0.4 - 0.5 * number
        plot.plot([ranks[first] - 0.03, ranks[last] + 0.03], [y, y], color="tab:red", linewidth=3)
    for number, (name, rank) in enumerate(figure.ranks.items()):
        left = number < half
        row = number if left else len(ranks) - 1 - number
        y = -0.9 - 0.5 * len(bars) - 0.9 * row
        end = low - 0.05 * margin if left else high + 0.05 * margin
        plot.plot([rank, rank, end], [0, y, y], color="gray", linewidth=0.8)
        side = "right" if left else "left"
        plot.text(end, y, f"{name} ({rank:.2f})", ha=side, va="center", fontsize=9, parse_math=False)
    return drawing


def _scale(plot: Any, low: float, high: float, critical: float) -> None:
    """Draw the scale of the ranks, and the critical difference above it."""
    plot.plot([low, high], [0, 0], color="black", linewidth=1)
    for tick in np.arange(low, high + 1):
        plot.plot([tick, tick], [0, 0.2], color="black", linewidth=1)
        plot.text(tick, 0.3, f"{tick:g}", ha="center", va="bottom", fontsize=9)
    plot.plot([low, low + critical], [1.5, 1.5], color="black", linewidth=2)
    plot.text(low, 1.6, f"critical difference {critical:.2f}", va="bottom", fontsize=9)


def cliques(ranks: Floats, critical: float) -> list[tuple[int, int]]:
    """Return the longest runs of sorted ranks within the critical difference, as first and last index."""
    runs = [
        (i, int(np.searchsorted(ranks, rank + critical, side="right")) - 1) for i, rank in enumerate(ranks)
    ]
    return [
        (first, last)
        for number, (first, last) in enumerate(runs)
        if last > first and (number == 0 or last > runs[number - 1][1])
    ]


RENDERERS: Mapping[type, Callable[[Any], plots.Figure]] = {
    Lines: lines,
    Points: points,
    Bars: bars,
    Matrix: matrix,
    RankDiagram: rank_diagram,
}
"""Kind of a figure -> function that draws it."""
