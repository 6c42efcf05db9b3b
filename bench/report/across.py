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

from bench.metrics import METRICS, Floats
from bench.report import figures, markdown
from bench.report.markdown import escaped
from bench.report.rows import Table

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
    """Return the ranking of the systems that are in all tables; None of fewer than two tables or systems."""
    shown = [table for table in tables if table.rows]
    ranked = [{table.name(row): row for row in table.rows} for table in shown]
    if len(ranked) < 2:
        return None
    names = [name for name in ranked[0] if all(name in rows for rows in ranked)]
    if len(names) < 2:
        return None
    merits = []
    for table, rows in zip(shown, ranked, strict=True):
        sign = 1 if METRICS[table.main].higher_is_better else -1
        merits.append([sign * rows[name].scores[table.main].value for name in names])
    ranks = stats.rankdata(-np.array(merits), axis=1)
    systems = pd.DataFrame(
        {
            "rank": ranks.mean(axis=0),
            "wins": (ranks == ranks.min(axis=1, keepdims=True)).sum(axis=0),
            "among_best": [sum(rows[name].standing.tied for rows in ranked) for name in names],
        },
        index=names,
    ).sort_values("rank", kind="stable")
    p = float(stats.friedmanchisquare(*ranks.T).pvalue) if len(names) > 2 else np.nan
    return Ranking(systems, len(ranked), p, critical_difference(len(names), len(ranked)))


def critical_difference(n_systems: int, n_tables: int) -> float:
    """Return how far mean ranks must be apart at a level of 5 %, by Nemenyi's test."""
    q = stats.studentized_range.ppf(1 - ALPHA, n_systems, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_systems * (n_systems + 1) / (6 * n_tables)))


def section(found: Ranking, figure: Path) -> str:
    """Return the Markdown of a ranking."""
    rows = [
        [escaped(str(name)), f"{row['rank']:.2f}", int(row["wins"]), int(row["among_best"])]
        for name, row in found.systems.iterrows()
    ]
    headers = ["row", "mean rank", "wins", "among the best"]
    table = markdown.table(rows, headers)
    told = "" if np.isnan(found.p) else f" Friedman's test that all rank alike: p = {found.p:.4f}."
    note = (
        f"Over {found.n_tables} tables. Mean ranks that are less than {found.critical:.2f} apart cannot\n"
        f"be told from each other (Nemenyi, 5 %).{told}"
    )
    return f"## Across tables\n\n{note}\n\n{table}\n\n![mean ranks]({figure.as_posix()})"


def draw(found: Ranking, path: Path) -> None:
    """Write a critical-difference diagram: mean ranks, and bars over systems that cannot be told apart."""
    ranks = found.systems["rank"].to_numpy()
    names = [str(name) for name in found.systems.index]
    half = -(-len(names) // 2)
    bars = _cliques(ranks, found.critical)
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
    plot.plot([low, low + found.critical], [1.5, 1.5], color="black", linewidth=2)
    plot.text(low, 1.6, f"critical difference {found.critical:.2f}", va="bottom", fontsize=9)
    for place, (first, last) in enumerate(bars):
        y = -0.4 - 0.5 * place
        plot.plot([ranks[first] - 0.03, ranks[last] + 0.03], [y, y], color="tab:red", linewidth=3)
    for place, (name, rank) in enumerate(zip(names, ranks, strict=True)):
        left = place < half
        row = place if left else len(names) - 1 - place
        y = -0.9 - 0.5 * len(bars) - 0.9 * row
        end = low - 0.05 * margin if left else high + 0.05 * margin
        plot.plot([rank, rank, end], [0, y, y], color="gray", linewidth=0.8)
        words = f"{name} ({rank:.2f})"
        side = "right" if left else "left"
        plot.text(end, y, words, ha=side, va="center", fontsize=9, parse_math=False)
    figures.save(figure, path)


def _cliques(ranks: Floats, critical: float) -> list[tuple[int, int]]:
    """Return the largest runs of sorted ranks within the critical difference, as first and last place."""
    runs = [
        (i, int(np.searchsorted(ranks, rank + critical, side="right")) - 1) for i, rank in enumerate(ranks)
    ]
    return [
        (first, last)
        for place, (first, last) in enumerate(runs)
        if last > first and (place == 0 or last > runs[place - 1][1])
    ]
