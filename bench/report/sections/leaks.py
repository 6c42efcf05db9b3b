"""The tests on permuted labels: is a row's score luck, and does the split leak."""

import numpy as np
from scipy import stats as distributions

from bench import stats
from bench.metrics import METRICS
from bench.report import words
from bench.report.document import EMPTY, Cell, Grid, Notes, Section, Text, cell, strong, text
from bench.report.rows import Row, Table
from bench.types import Permutations

HEADERS = ("row", "score", "between groups", "its place", "p", "within groups", "groups recognised: p")


def section(table: Table) -> Section | None:
    """Return the scores on permuted labels beside those of the rows; None without permutations."""
    rows = [(row, row.first.permutations) for row in table.rows]
    permuted = [(row, permutations) for row, permutations in rows if permutations]
    if not permuted:
        return None
    names = words.names(table)
    p_leak = stats.holm([_p_leak(table, permutations) for _, permutations in permuted])
    grid = tuple(
        _cells(table, names[row.system], row, permutations, p)
        for (row, permutations), p in zip(permuted, p_leak, strict=True)
    )
    is_leak = [p < 1 - stats.LEVEL for p in p_leak]
    leaky = [names[row.system] for (row, _), leaks in zip(permuted, is_leak, strict=True) if leaks]
    notes = Notes((_recognition(leaky, len(permuted)), *_copies(permuted)))
    title = f"Permuted labels: {words.title(table)}"
    return Section(title, 3, (notes, Grid(HEADERS, grid)), table=table.stem)


def _cells(table: Table, name: str, row: Row, permutations: Permutations, p_leak: float) -> tuple[Cell, ...]:
    score, between = row.first.score(table.metric), np.array(permutations.between)
    if score is None:
        raise KeyError(table.metric)
    is_better = between >= score.value if METRICS[table.metric].higher_is_better else between <= score.value
    place, n_all = 1 + int(is_better.sum()), 1 + len(between)
    means = (float(np.mean(values)) for values in (between, permutations.within))
    of_between, of_within = (cell(mean, f"{mean:.3f}") for mean in means)
    p = place / n_all
    return (
        cell(name),
        words.score_cell(score),
        of_between,
        cell(place, f"{place} of {n_all}"),
        cell(p, f"{p:.3f}"),
        of_within,
        words.chance_cell(p_leak) if len(between) > 2 else EMPTY,
    )


def _p_leak(table: Table, permutations: Permutations) -> float:
    """Return the p-value of the draws' mean score by their own labels among those by other draws' labels.

    The means by the labels of other draws are about normal, and the own one is one more under no leak.
    """
    others = np.array(permutations.shifted)
    if len(others) < 2:
        return 1.0
    sign = 1 if METRICS[table.metric].higher_is_better else -1
    gap = sign * (np.mean(permutations.between) - others.mean())
    spread = others.std(ddof=1) * np.sqrt(1 + 1 / len(others))
    return float(distributions.t.sf(gap / spread, len(others) - 1)) if spread else float(gap <= 0)


def _recognition(leaky: list[str], n_rows: int) -> Text:
    """Return whether rows learn the permuted labels of tested groups."""
    if not leaky:
        return text(strong("No leak between groups"), ": no row learns the labels that a tested group drew.")
    rows = f": {len(leaky)} of {n_rows} rows learn the labels that tested groups drew: {', '.join(leaky)}. "
    return text(strong("Leak"), rows, "A tested group is in the training data too.")


def _copies(permuted: list[tuple[Row, Permutations]]) -> list[Text]:
    """Return the groups that look like copies, each once, or that there are none."""
    if all(permutations.copies is None for _, permutations in permuted):
        return [text("Copied groups are not looked for: too few permutations (19 are needed) or many clips.")]
    shares: dict[frozenset[str], float] = {}
    for _, permutations in permuted:
        for copy in permutations.copies or ():
            pair = frozenset({copy.group, copy.original})
            shares[pair] = max(copy.share, shares.get(pair, 0.0))
    if not shares:
        return [text(strong("No copied group"), ": no group repeats the clips of another.")]
    return [
        text(
            strong("Copied group"),
            f": {' and '.join(sorted(pair))} seem to hold the same clips ({share:.0%}); "
            "remove one of them, or give both one group.",
        )
        for pair, share in shares.items()
    ]
