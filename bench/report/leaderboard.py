"""Leaderboards as Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench import stats
from bench.metrics import METRICS, Predicted
from bench.report import markdown
from bench.report.markdown import escaped
from bench.report.rows import Row, Table
from bench.store import Store
from bench.types import BASELINE, Result, Score

TITLE = "# Leaderboard"

FEW_GROUPS = 20
"""Below it, what the groups say of others is rough."""

FEW_GROUPS_OF_A_CLASS = 5


def head(stores: Sequence[Store], tables: Sequence[Table]) -> str:
    """Return the top of the leaderboard: what ran, how to read it, and the best of every table."""
    lines = [TITLE, ""]
    for run in (store.run() for store in stores):
        if run["command"]:
            lines += [f"Made by `{run['command']}` with audio-embedding-bench {run['env']['bench']}.", ""]
        if not run["finished"]:
            lines += ["**The run was interrupted:** the same command goes on where it stopped.", ""]
    lines += [
        "A score is over all tested clips, with its 95 % interval by a bootstrap over groups, and rounded by",
        "that; `folds` is the range over the folds. `rank` is the range of ranks that the paired differences",
        "allow, corrected by Holm for all pairs of the table; bold are all rows that cannot be told from the",
        "best. `extract s`, `fit s` and `predict s` are of all clips and folds, where they were computed.",
    ]
    if sum(bool(table.rows) for table in tables) > 1:
        lines += ["", markdown.table([_best(table) for table in tables if table.rows])]
    return "\n".join(lines)


def _best(table: Table) -> dict[str, str]:
    """Return a table's best row as a row of the summary."""
    best = table.best or table.rows[0]
    baseline = next((row for row in table.rows if row.first.head == BASELINE), None)
    return {
        "task": escaped(table.task),
        "data set": escaped(table.title),
        "best row": escaped(table.name(best)),
        "score": f"{table.main} {number(best.scores[table.main])}",
        "majority class": number(baseline.scores[table.main]) if baseline else "",
        "as good": str(sum(row.standing.tied for row in table.rows) - 1),
        "rows": str(len(table.rows)),
        "groups": str(best.first.n_groups),
    }


def matrix(table: Table) -> str:
    """Return the Markdown of a table's scores by extractor and head; empty of one extractor or one head."""
    rows = [row for row in table.rows if row.first.head != BASELINE]
    heads = list(dict.fromkeys(row.first.head for row in rows))
    cells: dict[str, dict[str, str]] = {}
    for row in rows:
        cells.setdefault(_source(row.first), {})[row.first.head] = _main(row, table.main)
    if len(heads) < 2 or len(cells) < 2:
        return ""
    lines = [[escaped(name), *(known.get(head, "") for head in heads)] for name, known in cells.items()]
    title = f"### {table.main} by extractor and head: {escaped(table.task)} on {escaped(table.title)}"
    return f"{title}\n\n{markdown.table(lines, ['extractor', *map(escaped, heads)])}"


def _source(result: Result) -> str:
    """Return an extractor with its view, and what is done before it."""
    return " ".join(filter(None, [f"{result.extractor} @ {result.view}", result.preprocess]))


def section(table: Table) -> str:
    """Return the Markdown of one table, with its split and everything that was not computed."""
    lines = [f"## {table.task} on {escaped(table.title)}", ""]
    lines += [f"- {line}" for line in facts(table)]
    if table.rows:
        lines += ["", markdown.table(_cells(table))]
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in table.others:
        size = f", {result.train_size:g} of the training groups" if result.train_size < 1 else ""
        cell = f"{result.extractor} ({result.view}) x {result.head}{size}"
        reasons.setdefault((result.status, result.reason), []).append(cell)
    if reasons:
        lines.append("")
    for (status, reason), named in reasons.items():
        cells = named if table.rows or len(reasons) > 1 else [f"all cells ({len(named)})"]
        lines.append(f"- **{status}**: {escaped(', '.join(cells))}: {escaped(reason)}")
    return "\n".join(lines)


def facts(table: Table) -> list[str]:
    """Return what has to be known before a number is believed."""
    source, protocol = table.source, table.protocol
    told = []
    if source["synthetic"]:
        told.append(
            "**Synthetic audio**: these numbers show that the tool works and say nothing about real audio."
        )
    told.append(
        f"Data: {source['n_clips']} clips, version {source['version']}, content `{source['content'][:12]}`."
    )
    if protocol:
        told.append(
            f"Split: {protocol['split']} ({protocol['n_groups']} groups), {protocol['n_folds']} tested "
            f"fold{'s' if protocol['n_folds'] > 1 else ''}, {protocol['n_classes']} classes."
        )
        if protocol["apart"]:
            told.append(f"On one side of every fold alone: each {', '.join(protocol['apart'])}.")
        if protocol["leaky"]:
            told.append("**Leaky split**: for demonstration only; these numbers are higher than honest ones.")
        if protocol["note"]:
            told.append(f"No stricter split was possible: {escaped(protocol['note'])}.")
        if protocol.get("augment"):
            told.append(f"Training clips besides, changed and never tested: {escaped(protocol['augment'])}.")
        size = max((row.first.train_size for row in table.rows), default=1.0)
        if size < 1:
            told.append(f"Heads learnt from {size:g} of the training groups of every class.")
        told += _doubts(protocol)
    steps = dict.fromkeys((row.first.extractor, row.first.preprocess) for row in table.rows)
    told += [f"Preprocessing of {escaped(name)}: {escaped(what)}." for name, what in steps if what]
    n_bad = max((row.first.n_bad for row in table.rows), default=0)
    if n_bad:
        told.append(f"{n_bad} clips could not be decoded and are left out: see bad_clips.csv.")
    return told + [escaped(note) for note in source["notes"]]


def _doubts(protocol: Mapping[str, Any]) -> list[str]:
    """Return why a claim from few groups or classes is a weak one."""
    doubts = []
    if protocol["n_groups"] < FEW_GROUPS:
        doubts.append(
            f"**Few groups**: {protocol['n_groups']} of {escaped(protocol['group'])} say little of others; "
            f"intervals want {FEW_GROUPS} or more."
        )
    name, n_groups = protocol["fewest_groups"]
    if n_groups < FEW_GROUPS_OF_A_CLASS:
        doubts.append(f"**Few groups of a class**: '{escaped(name)}' has {n_groups}.")
    return doubts


def leaks(table: Table) -> str:
    """Return what permuted labels show: the rows whose agreement with them is beyond chance."""
    kappa = METRICS["cohen_kappa"]
    above = []
    for row in table.rows:
        predictions = table.predictions(row.first)
        found = stats.bounds(kappa, Predicted.of(predictions), predictions["group"].to_numpy(str))
        if found and found[0] > 0:
            above.append(table.name(row))
    if not above:
        return "- **Labels permuted**: every row is at chance (the interval of Cohen's kappa holds 0)."
    share = f"{len(above)} of {len(table.rows)} rows are above chance, of which one in 40 is by luck"
    return f"- **Labels permuted**: {share}: {', '.join(map(escaped, above))}."


def against_the_best(table: Table) -> str:
    """Return the Markdown of how the other rows differ from the best one; none where there is one group."""
    best, *others = table.rows
    metric = METRICS[table.main]
    first = table.predictions(best.first)
    lines = []
    for row in others:
        found = stats.paired(metric, table.predictions(row.first), first)
        if found is None:
            return ""
        less = found.difference
        lines.append(
            {
                "row": escaped(table.name(row)),
                f"{table.main} less": f"{-less.value:.3f} [{-less.high:.3f}, {-less.low:.3f}]",
                "p": _chance(less.p),
                "p, Holm": _chance(row.standing.p),
                "p, permutation": _chance(found.permutation),
                "p, McNemar": _chance(found.mcnemar),
            }
        )
    title = f"### Against the best: {table.task} on {escaped(table.title)}, {escaped(table.name(best))}"
    note = (
        "Paired clip by clip, the first seed of each. `p` and its interval are by the bootstrap over\n"
        "groups, corrected by Holm for all pairs of the table; the permutation exchanges whole groups;\n"
        "McNemar's test takes every clip for a group of its own."
    )
    return f"{title}\n\n{note}\n\n{markdown.table(lines)}"


def _chance(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def _cells(table: Table) -> list[dict[str, str]]:
    """Return the rows of the table as column -> text."""
    several_seeds = max(len(row.results) for row in table.rows) > 1
    names = table.metrics
    return [
        {
            "rank": ranks(row),
            "extractor": escaped(row.extractor),
            "view": row.view,
            "head": escaped(row.first.head) + (" (majority class)" if row.first.head == BASELINE else ""),
            table.main: _main(row, table.main),
            **({"seeds": f"{len(row.results)}, ±{row.spread:.3f}"} if several_seeds else {}),
            "folds": _folds(row.scores[table.main]),
            **{name: number(row.scores[name]) if name in row.scores else "" for name in names},
            "clips": str(row.first.n_test),
            "groups": str(row.first.n_groups),
            **_costs(row.first),
        }
        for row in table.rows
    ]


def ranks(row: Row) -> str:
    """Return the ranks that a row may have."""
    low, high = row.standing.low, row.standing.high
    return str(low) if low == high else f"{low}-{high}"


def _main(row: Row, metric: str) -> str:
    score = row.scores[metric]
    value = f"{score.value:.{decimals(score)}f}"
    return f"**{value}**{_interval(score)}" if row.standing.tied else value + _interval(score)


def _folds(score: Score) -> str:
    return f"{min(score.folds):.3f} to {max(score.folds):.3f}" if len(score.folds) > 1 else ""


def _costs(result: Result) -> dict[str, str]:
    columns = result.cost.columns()
    seconds = {title: "" if value is None else about(value) for title, value in columns.items()}
    texts = {"dim": str(result.cost.dim), **seconds}
    return dict.fromkeys(texts, "") if result.head == BASELINE else texts


def about(seconds: float) -> str:
    """Return a time in one digit, which another run on the same machine seldom changes.

    Examples
    --------
    >>> about(0.0347), about(7.2), about(1283.0)
    ('0.03', '7', '1000')
    """
    return np.format_float_positional(float(f"{seconds:.0e}"), trim="-")


def number(score: Score) -> str:
    """Return a score with its interval, if it has one."""
    return f"{score.value:.{decimals(score)}f}{_interval(score)}"


def decimals(score: Score) -> int:
    """Return how many decimals a score is worth: those of half its interval's first digit, two to four.

    Examples
    --------
    >>> decimals(Score(0.9, 0.85, 0.94)), decimals(Score(0.99, 0.985, 0.995)), decimals(Score(0.9))
    (2, 3, 3)
    """
    if score.low is None or score.high is None or score.high <= score.low:
        return 3
    return int(np.clip(np.ceil(-np.log10((score.high - score.low) / 2)), 2, 4))


def _interval(score: Score) -> str:
    n = decimals(score)
    return "" if score.low is None else f" [{score.low:.{n}f}, {score.high:.{n}f}]"
