"""Several tables at once: mean ranks, wins, and how far apart mean ranks must be.

References
----------
Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import stats

from bench import display
from bench.metrics import METRICS, Floats
from bench.report import figures, markdown
from bench.report.markdown import escaped
from bench.report.rows import System, Table

ALPHA = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """How systems do over tables.

    Parameters
    ----------
    systems : pd.DataFrame
        Per system, the best first: its mean `rank`, its `wins` (tables in which it is first), and
        `among_best` (tables in which it cannot be told from the first).
    p : float
        Of Friedman's test, that the systems rank alike; NaN of two systems.
    critical : float
        The difference of mean ranks beyond which two systems differ, by Nemenyi's test.
    """

    systems: pd.DataFrame
    n_tables: int
    p: float
    critical: float


def ranking(tables: Sequence[Table]) -> Ranking | None:
    """Return the ranking of the systems in all tables; None for fewer than two tables or systems."""
    ranked = [table for table in tables if table.rows]
    rows = [{row.system: row for row in table.rows} for table in ranked]
    if len(rows) < 2:
        return None
    systems = [system for system in rows[0] if all(system in others for others in rows)]
    if len(systems) < 2:
        return None
    several = len({system.view for system in systems if system.view}) > 1
    merits = []
    for table, by_system in zip(ranked, rows, strict=True):
        sign = 1 if METRICS[table.main].higher_is_better else -1
        merits.append([sign * table.ranking(by_system[system]).value for system in systems])
    ranks = stats.rankdata(-np.array(merits), axis=1)
    frame = pd.DataFrame(
        {
            "rank": ranks.mean(axis=0),
            "wins": (ranks == ranks.min(axis=1, keepdims=True)).sum(axis=0),
            "among_best": [sum(by_system[system].standing.tied for by_system in rows) for system in systems],
        },
        index=[_name(system, several) for system in systems],
    ).sort_values("rank", kind="stable")
    p = float(stats.friedmanchisquare(*ranks.T).pvalue) if len(systems) > 2 else np.nan
    return Ranking(frame, len(rows), p, critical_difference(len(systems), len(rows)))


def _name(system: System, several_views: bool) -> str:
    """Return the name of a system, with its view where there are several."""
    view = display.view(system.view) if several_views and system.view else ""
    return " ".join(filter(None, [system.extractor, view, system.head]))


def critical_difference(n_systems: int, n_tables: int) -> float:
    """Return how far mean ranks must be apart at a level of 5 %, by Nemenyi's test."""
    q = stats.studentized_range.ppf(1 - ALPHA, n_systems, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_systems * (n_systems + 1) / (6 * n_tables)))


def section(ranking: Ranking, figure: Path) -> str:
    """Return the Markdown of a ranking."""
    rows = [
        [escaped(str(name)), f"{row['rank']:.2f}", int(row["wins"]), int(row["among_best"])]
        for name, row in ranking.systems.iterrows()
    ]
    headers = ["row", "mean rank", "wins", "among the best"]
    table = markdown.table(rows, headers)
    friedman = "" if np.isnan(ranking.p) else f" Friedman's test that all rank alike: p = {ranking.p:.4f}."
    note = (
        f"Over {ranking.n_tables} tables. Mean ranks that are less than {ranking.critical:.2f} apart cannot\n"
        f"be told from each other (Nemenyi, 5 %).{friedman}"
    )
    return f"## Across tables\n\n{note}\n\n{table}\n\n![mean ranks]({figure.as_posix()})"


def draw(ranking: Ranking, path: Path) -> None:
    """Write a critical-difference diagram: mean ranks, and bars over systems that cannot be told apart."""
    ranks = ranking.systems["rank"].to_numpy()
    names = [str(name) for name in ranking.systems.index]
    half = -(-len(names) // 2)
    bars = _cliques(ranks, ranking.critical)
    figure = Figure(figsize=(10, 1.6 + 0.3 * half + 0.15 * len(bars)), layout="constrained")
    FigureCanvasAgg(figure)
    plot = figure.add_subplot()
    low, high = 1.0, float(max(np.ceil(ranks.max()), 2))
    margin = (high - low) * 0.6
    plot.set_xlim(low - margin, high + margin)
    depth = 0.6 + 0.5 * len(bars) + 0.9 * half
    plot.set_ylim(-depth, 2.2)
    plot.axis("off")
    plot.plot([low, high], [0, 0], color="black", linewidth=1)
    for tick in np.arange(low, high + 1):
        plot.plot([tick, tick], [0, 0.2], color="black", linewidth=1)
        plot.text(tick, 0.3, f"{tick:g}", ha="center", va="bottom", fontsize=9)
    plot.plot([low, low + ranking.critical], [1.5, 1.5], color="black", linewidth=2)
    plot.text(low, 1.6, f"critical difference {ranking.critical:.2f}", va="bottom", fontsize=9)
    for bar, (first, last) in enumerate(bars):
        y = -0.4 - 0.5 * bar
        plot.plot([ranks[first] - 0.03, ranks[last] + 0.03], [y, y], color="tab:red", linewidth=3)
    for position, (name, rank) in enumerate(zip(names, ranks, strict=True)):
        left = position < half
        row = position if left else len(names) - 1 - position
        y = -0.9 - 0.5 * len(bars) - 0.9 * row
        end = low - 0.05 * margin if left else high + 0.05 * margin
        plot.plot([rank, rank, end], [0, y, y], color="gray", linewidth=0.8)
        label = f"{name} ({rank:.2f})"
        side = "right" if left else "left"
        plot.text(end, y, label, ha=side, va="center", fontsize=9, parse_math=False)
    figures.save(figure, path)


def _cliques(ranks: Floats, critical: float) -> list[tuple[int, int]]:
    """Return the largest runs of sorted ranks within the critical difference, as first and last place."""
    runs = [
        (i, int(np.searchsorted(ranks, rank + critical, side="right")) - 1) for i, rank in enumerate(ranks)
    ]
    return [
        (first, last)
        for position, (first, last) in enumerate(runs)
        if last > first and (position == 0 or last > runs[position - 1][1])
    ]
