"""How often 95 % intervals hold the truth, over a grid of hard cases: docs/figures/coverage.png.

`python tests/simulation/interval_grid.py` simulates on one core the cells that coverage.json beside it lacks
(remove it to simulate all, which takes five minutes), and those of coverage-before.json: the intervals of
earlier releases, expanded percentiles of a bootstrap over groups. It writes figure and tables of numbers.md.

Conventions: the tested clips are of two classes, "a" and "b". A clip's score for "b" is a normal variable
around a mean of its group, so that the accuracies of groups have a logit of standard deviation 1. The truth
is every metric over `N_TRUTH` groups.
"""

import argparse
import functools
import json
import zlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import norm

from bench.metrics import METRICS, Metric, Predicted
from bench.stats import bounded, draws
from bench.stats.intervals import quantiles
from bench.types import Score

LABELS = ("accuracy", "balanced_accuracy", "f1_macro", "mcc")
SCORES = ("roc_auc", "average_precision", "eer")
N_GROUPS = (4, 6, 10, 20, 50, 251)
N_DRAWS = 300
N_TRUTH = 20_000
MIN_BOUNDED = 25
"""Fewest intervals from which a coverage is stated."""

STORED = Path(__file__).with_name("coverage.json")
EARLIER = STORED.with_stem("coverage-before")
NUMBERS = Path(__file__).parents[2] / "docs" / "numbers.md"
FIGURE = NUMBERS.parent / "figures" / "coverage.png"
MARKS = "<!-- tables of interval_grid.py -->", "<!-- end of tables -->"
CLASSES = np.array(["a", "b"])
RARE = 0.05
"""Share of clips of the rare class, and share of groups that fail altogether."""

FAILING = -2.5
"""Mean of the right class's score in a group that fails: 0.6 % of its clips are right."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One cell of the grid.

    Parameters
    ----------
    case : str
        "balanced", "rare" (5 % of a group's clips are of class b), "nested" (every group is of one class, one
        in ten of b), or "failing" (5 % of the groups get every clip wrong).
    sizes : str
        "equal", "lognormal", or "large" (the first group is ten times as large as another).
    accuracy : float
        Accuracy of the groups that do not fail.
    """

    case: str
    sizes: str
    accuracy: float
    n_groups: int

    @property
    def n_clips(self) -> int:
        """Return the mean number of clips of a group."""
        return 10 if self.case == "failing" else 20

    @property
    def name(self) -> str:
        """Return the setting without its number of groups."""
        return f"{self.case}, {self.sizes}, {self.accuracy}"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Intervals of a metric in a setting.

    Parameters
    ----------
    n_draws, n_bounded, n_right : int
        Number of draws, of those with an interval, and of those whose interval holds the truth.
    width : float
        Mean width of the intervals; 0 without one.
    """

    n_draws: int
    n_bounded: int
    n_right: int
    width: float


def grid(n_groups: Sequence[int] = N_GROUPS) -> list[Setting]:
    """Return every setting."""
    plain = [
        ("balanced", sizes, accuracy)
        for sizes in ("equal", "lognormal", "large")
        for accuracy in (0.6, 0.79, 0.955, 0.987)
        if sizes == "equal" or accuracy > 0.6
    ]
    hard = [(case, "equal", accuracy) for case in ("rare", "nested") for accuracy in (0.79, 0.955)]
    failing = [("failing", "equal", accuracy) for accuracy in (0.79, 0.955, 0.99)]
    return [Setting(*cell, number) for cell in (*plain, *hard, *failing) for number in n_groups]


@functools.cache
def logit_mean(accuracy: float) -> float:
    """Return the mean logit of groups with an accuracy, by Gauss and Hermite's quadrature."""
    x, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    return float(brentq(lambda mean: weights @ expit(mean + x) - accuracy, -10, 12))


def sample(setting: Setting, rng: np.random.Generator) -> tuple[Predicted, np.ndarray]:
    """Return predictions, and the group of every clip."""
    n = setting.n_groups
    sizes = np.full(n, setting.n_clips)
    if setting.sizes == "lognormal":
        sizes = np.maximum(1, np.round(setting.n_clips * rng.lognormal(-0.5, 1, n)).astype(int))
    elif setting.sizes == "large":
        sizes[0] *= 10
    group = np.repeat(np.arange(n), sizes)
    is_b = rng.random(len(group)) < (RARE if setting.case == "rare" else 0.5)
    if setting.case == "nested":
        is_b = group < max(2, n // 10)
    ability = norm.ppf(expit(logit_mean(setting.accuracy) + rng.standard_normal(n)))
    if setting.case == "failing":
        ability = np.where(rng.random(n) < RARE, FAILING, ability)
    score = np.where(is_b, 1, -1) * ability[group] + rng.standard_normal(len(group))
    probability = expit(score)
    return (
        Predicted(
            CLASSES[is_b.astype(int)],
            CLASSES[(score > 0).astype(int)],
            CLASSES,
            np.column_stack([1 - probability, probability]),
        ),
        group,
    )


@functools.cache
def everybody(case: str, accuracy: float, share_b: float) -> Predicted:
    """Return predictions of `N_TRUTH` groups, a share of which is of class b if classes are nested."""
    predicted, _ = sample(Setting(case, "equal", accuracy, N_TRUTH), np.random.default_rng(1))
    if case != "nested":
        return predicted
    is_b = predicted.y_true == "b"
    of_a = np.flatnonzero(~is_b)[: round(is_b.sum() * (1 - share_b) / share_b)]
    return predicted.take(np.concatenate([of_a, np.flatnonzero(is_b)]))


@functools.cache
def truth(case: str, accuracy: float, share_b: float, metric: str) -> float:
    """Return a metric over everybody."""
    return METRICS[metric].score(everybody(case, accuracy, share_b))


def before(metric: Metric, p: Predicted, group: np.ndarray) -> tuple[float, float]:
    """Return the interval of earlier releases."""
    return quantiles(draws(metric, p, group), len(np.unique(group)))


def simulate(
    setting: Setting, metrics: Sequence[str], n_draws: int = N_DRAWS, *, earlier: bool = False
) -> dict[str, Coverage]:
    """Return the coverage of every metric's intervals, all of the same predictions."""
    share_b = max(2, setting.n_groups // 10) / setting.n_groups if setting.case == "nested" else 0.0
    rng = np.random.default_rng(zlib.crc32(f"{setting.name}, {setting.n_groups}".encode()))
    intervals: dict[str, list[tuple[float, float]]] = {name: [] for name in metrics}
    for _ in range(n_draws):
        p, group = sample(setting, rng)
        if earlier:
            for name in metrics:
                intervals[name].append(before(METRICS[name], p, group))
            continue
        every_clip = np.ones((1, len(group)))
        values = [Score(name, float(METRICS[name].draw_scores(p, every_clip)[0])) for name in metrics]
        for score in bounded(p, group, values):
            if score.low is not None and score.high is not None:
                intervals[score.metric].append((score.low, score.high))
    return {
        name: _coverage(intervals[name], truth(setting.case, setting.accuracy, share_b, name), n_draws)
        for name in metrics
    }


def _coverage(intervals: Sequence[tuple[float, float]], value: float, n_draws: int) -> Coverage:
    low, high = np.array(intervals).reshape(-1, 2).T
    n_right = int(((low <= value) & (value <= high)).sum())
    width = float((high - low).mean()) if len(low) else 0.0
    return Coverage(n_draws, len(low), n_right, round(width, 4))


def jobs(setting: Setting, n_draws: int = N_DRAWS, *, earlier: bool = False) -> dict[tuple[str, ...], int]:
    """Return the metrics that are simulated in a setting, and the number of draws.

    Metrics of scores have fewer, and none with 251 groups; so has the bootstrap: they take the longest.
    """
    if earlier:
        return {LABELS[:2]: n_draws // 2}
    if setting.case == "balanced" and setting.sizes != "equal":
        return {LABELS[:2]: n_draws}
    has_scores = setting.n_groups <= 50 and setting.accuracy in {0.79, 0.955, 0.99}
    return {LABELS: n_draws} | ({SCORES: n_draws // 2} if has_scores else {})


def simulate_all(n_draws: int = N_DRAWS, *, earlier: bool) -> dict[str, dict[str, list[float]]]:
    """Return the coverage of every cell by metric, print it as it comes, and store it."""
    path = EARLIER if earlier else STORED
    stored: dict[str, dict[str, list[float]]] = json.loads(path.read_text()) if path.is_file() else {}
    for setting in grid():
        cell = stored.setdefault(f"{setting.name}, {setting.n_groups}", {})
        for metrics, number in jobs(setting, n_draws, earlier=earlier).items():
            if not cell.keys() >= set(metrics):
                values = simulate(setting, metrics, number, earlier=earlier)
                cell |= {name: list(astuple(value)) for name, value in values.items()}
        print(setting, cell, flush=True)  # a script prints its figures
        path.write_text(json.dumps(stored) + "\n")
    return stored


Stored = dict[str, dict[str, list[float]]]


def cells(stored: Stored, metric: str) -> dict[str, Coverage]:
    """Return the coverage of a metric by cell, of those that were simulated."""
    return {name: Coverage(*cell[metric]) for name, cell in stored.items() if metric in cell}


def summary(now: Stored, earlier: Stored) -> list[str]:
    """Return a table of the cells of every metric: how many cover 93 to 97 %, less, or more."""
    lines = [
        "| metric | | cells | lowest | below 93 % | 93 to 97 % | above 97 % | without interval |",
        "|" + "---|" * 8,
    ]
    for metric in (*LABELS, *SCORES):
        for kind, stored in (("before", earlier), ("now", now)):
            values = [value for value in cells(stored, metric).values() if value.n_bounded >= MIN_BOUNDED]
            shares = np.array([value.n_right / value.n_bounded for value in values])
            if not len(shares):
                continue
            n_unbounded = len(cells(stored, metric)) - len(values)
            low, high = (shares < 0.93).sum(), (shares > 0.97).sum()
            counts = f"{low} | {len(shares) - low - high} | {high} | {n_unbounded}"
            lines.append(f"| {metric} | {kind} | {len(shares)} | {100 * shares.min():.1f} % | {counts} |")
    return lines


def table(now: Stored, earlier: Stored, metric: str) -> list[str]:
    """Return the coverage of a metric before and now, settings by numbers of groups, in percent."""
    rows: dict[str, list[str]] = {}
    for name, value in cells(now, metric).items():
        setting, _, _ = name.rpartition(", ")
        old = Coverage(*earlier[name][metric]) if metric in earlier.get(name, {}) else None
        before_text = f"{100 * old.n_right / old.n_bounded:.0f} → " if old else ""
        share = f"{100 * value.n_right / value.n_bounded:.0f}" if value.n_bounded >= MIN_BOUNDED else "none"
        n_without = value.n_draws - value.n_bounded
        without = f" ({100 * n_without / value.n_draws:.0f})" if n_without and share != "none" else ""
        rows.setdefault(setting, []).append(before_text + share + without)
    head = ["| case, sizes, accuracy | " + " | ".join(map(str, N_GROUPS)) + " |", "|" + "---|" * 7]
    return [*head, *(f"| {setting} | " + " | ".join(row) + " |" for setting, row in rows.items())]


def draw(now: Stored, earlier: Stored) -> None:
    """Write the figure: the coverage of every cell by its number of groups, a panel for each metric."""
    figure = Figure(figsize=(14, 6.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, 4, sharey=True).ravel()
    for axes, metric in zip(panels, (*LABELS, *SCORES), strict=False):
        for kind, stored, colour, shift in (
            ("before", earlier, "tab:gray", -0.12),
            ("now", now, "tab:blue", 0.12),
        ):
            values = {
                name: cell for name, cell in cells(stored, metric).items() if cell.n_bounded >= MIN_BOUNDED
            }
            x = [N_GROUPS.index(int(name.rpartition(", ")[2])) + shift for name in values]
            y = [100 * cell.n_right / cell.n_bounded for cell in values.values()]
            axes.plot(x, y, "o", alpha=0.6, color=colour, label=kind if values else None)
        axes.axhspan(93, 97, alpha=0.15, color="green")
        axes.set_xticks(range(len(N_GROUPS)), list(map(str, N_GROUPS)))
        axes.set(title=metric, xlabel="groups", ylim=(40, 101))
        axes.legend(loc="lower right")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("% of the intervals that hold the truth")
    panels[-1].set_visible(False)
    figure.savefig(FIGURE, dpi=80, metadata={"Software": None})


def main() -> None:
    """Simulate what is not stored, draw the figure, and write the tables between the marks in numbers.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=N_DRAWS)
    n_draws = parser.parse_args().draws
    now, earlier = simulate_all(n_draws, earlier=False), simulate_all(n_draws, earlier=True)
    draw(now, earlier)
    text = NUMBERS.read_text(encoding="utf-8")
    start, end = (text.index(mark) for mark in MARKS)
    NUMBERS.write_text(text[:start] + MARKS[0] + tables(now, earlier) + text[end:], encoding="utf-8")


def tables(now: Stored, earlier: Stored) -> str:
    """Return the tables of docs/numbers.md."""
    texts = [summary(now, earlier)]
    texts += [
        [f"{metric}:", "", *table(now, earlier, metric)] for metric in ("accuracy", "balanced_accuracy")
    ]
    return "\n\n" + "\n\n".join("\n".join(lines) for lines in texts) + "\n\n"


if __name__ == "__main__":
    main()
