"""Leaderboards as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench import display, stats
from bench.metrics import METRICS, Predicted
from bench.report import markdown
from bench.report.facts import facts
from bench.report.markdown import escaped
from bench.report.rows import Row, Table
from bench.store import Store
from bench.types import Result, Score

TITLE = "# Leaderboard"


def head(stores: Sequence[Store], tables: Sequence[Table]) -> str:
    """Return the top of the leaderboard: the command, how to read it, and the best row of every table."""
    lines = [TITLE, ""]
    for record in (store.run() for store in stores):
        if record.command:
            lines += [f"Made by `{record.command}` with audio-embedding-bench {record.env['bench']}.", ""]
        if not record.finished:
            lines += ["**The run was interrupted:** run the same command to continue.", ""]
    lines += [
        "A score covers all tested clips, with its 95 % interval by a bootstrap over groups, and is rounded by that",
        "interval; `folds` is the range over the folds. `rank` is the range of ranks that the paired differences",
        "allow, corrected by Holm for all pairs of the table. Rows in bold cannot be told from the best one.",
        "`extract s`, `fit s` and `predict s` cover all clips and folds, measured where they were computed.",
    ]
    shown = [table for table in tables if table.rows]
    if len(shown) > 1:
        lines += ["", markdown.table([_best(table) for table in shown])]
    return "\n".join(lines)


def _best(table: Table) -> dict[str, str]:
    """Return the best row of a table as a row of the summary."""
    best = table.best or table.rows[0]
    baseline = next((row for row in table.rows if row.is_baseline), None)
    return {
        "task": escaped(table.task),
        "data set": escaped(table.title),
        "best row": escaped(table.name(best)),
        "score": f"{table.main} {number(table.ranking(best))}",
        "majority class": number(table.ranking(baseline)) if baseline else "",
        "as good": str(sum(row.standing.tied for row in table.rows) - 1),
        "rows": str(len(table.rows)),
        "groups": str(best.first.n_groups),
    }


def matrix(table: Table) -> str:
    """Return the Markdown of scores by extractor and head; empty for one extractor or one head."""
    rows = [row for row in table.rows if not row.is_baseline]
    heads = list(dict.fromkeys(row.first.head for row in rows))
    scores: dict[object, dict[str, str]] = {}
    names: dict[object, str] = {}
    for row in rows:
        source = (row.first.extractor, row.first.view, row.first.preprocess)
        names[source] = _source(row.first)
        scores.setdefault(source, {})[row.first.head] = _main(row, table)
    if len(heads) < 2 or len(scores) < 2:
        return ""
    lines = [
        [escaped(names[source]), *(by_head.get(head, "") for head in heads)]
        for source, by_head in scores.items()
    ]
    title = f"### {table.main} by extractor and head: {escaped(table.task)} on {escaped(table.title)}"
    return f"{title}\n\n{markdown.table(lines, ['extractor', *map(escaped, heads)])}"


def _source(result: Result) -> str:
    """Return an extractor with its view and its preprocessing."""
    steps = display.steps(result.preprocess)
    return " ".join(filter(None, [f"{result.extractor} @ {display.view(result.view)}", steps]))


def section(table: Table) -> str:
    """Return the Markdown of one table: facts, rows, and the cells without a score."""
    lines = [f"## {table.task} on {escaped(table.title)}", ""]
    lines += [f"- {markdown.text(fact)}" for fact in facts(table)]
    if table.rows:
        lines += ["", markdown.table(_cells(table))]
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in table.others:
        reasons.setdefault((result.status, result.reason), []).append(display.system(result))
    if reasons:
        lines.append("")
    for (status, reason), names in reasons.items():
        cells = "; ".join(names) if table.rows or len(reasons) > 1 else f"all cells ({len(names)})"
        lines.append(f"- **{status}**: {escaped(cells)}: {escaped(reason)}")
    return "\n".join(lines)


def leaks(table: Table) -> str:
    """Return the rows whose agreement with permuted labels is beyond chance."""
    kappa = METRICS["cohen_kappa"]
    above = []
    for row in table.rows:
        predictions = table.predictions(row.first)
        interval = stats.bounds(kappa, Predicted.of(predictions), predictions["group"].to_numpy(str))
        if interval and interval[0] > 0:
            above.append(table.name(row))
    if not above:
        return "- **Labels permuted**: every row is at chance (the interval of Cohen's kappa holds 0)."
    share = f"{len(above)} of {len(table.rows)} rows are above chance; one in 40 is by luck"
    return f"- **Labels permuted**: {share}: {', '.join(map(escaped, above))}."


def against_the_best(table: Table) -> str:
    """Return the Markdown of every row's difference from the best one; empty for a single group."""
    best, *others = table.rows
    metric = METRICS[table.main]
    reference = table.predictions(best.first)
    lines = []
    for row in others:
        comparison = stats.paired(metric, table.predictions(row.first), reference)
        if comparison is None:
            return ""
        loss = comparison.difference
        lines.append(
            {
                "row": escaped(table.name(row)),
                f"{table.main} less": f"{-loss.value:.3f} [{-loss.high:.3f}, {-loss.low:.3f}]",
                "p": _p_value(loss.p),
                "p, Holm": _p_value(row.standing.p),
                "p, permutation": _p_value(comparison.permutation),
                "p, McNemar": _p_value(comparison.mcnemar),
            }
        )
    title = f"### Against the best: {table.task} on {escaped(table.title)}, {escaped(table.name(best))}"
    note = (
        "Paired clip by clip, for the first seed of every row. `p` and its interval come from the bootstrap over\n"
        "groups, corrected by Holm for all pairs of the table; the permutation exchanges whole groups;\n"
        "McNemar's test treats every clip as a group."
    )
    return f"{title}\n\n{note}\n\n{markdown.table(lines)}"


def _p_value(p: float) -> str:
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def _cells(table: Table) -> list[dict[str, str]]:
    """Return the rows of the table as column -> text."""
    several_seeds = max(len(row.results) for row in table.rows) > 1
    return [_row(table, row, several_seeds) for row in table.rows]


def _row(table: Table, row: Row, several_seeds: bool) -> dict[str, str]:
    others = {}
    for metric, level in table.metrics:
        score = row.score(metric, level)
        others[display.metric(score) if score else metric] = number(score) if score else ""
    return {
        "rank": ranks(row),
        "extractor": escaped(extractor(row)),
        "view": view(row),
        "head": escaped(row.first.head) + (" (majority class)" if row.is_baseline else ""),
        table.main: _main(row, table),
        **({"seeds": f"{len(row.results)}, ±{row.spread:.3f}"} if several_seeds else {}),
        "folds": _folds(table.ranking(row)),
        **others,
        "clips": str(row.first.n_test),
        "groups": str(row.first.n_groups),
        **_costs(row),
    }


def extractor(row: Row) -> str:
    """Return the extractor of a row; the baseline has any."""
    return "any" if row.is_baseline else row.first.extractor


def view(row: Row) -> str:
    """Return the view of a row; the baseline has none."""
    return "" if row.is_baseline else display.view(row.first.view)


def ranks(row: Row) -> str:
    """Return the range of ranks of a row."""
    low, high = row.standing.low, row.standing.high
    return str(low) if low == high else f"{low}-{high}"


def _main(row: Row, table: Table) -> str:
    score = table.ranking(row)
    value = f"{score.value:.{decimals(score)}f}"
    return f"**{value}**{_interval(score)}" if row.standing.tied else value + _interval(score)


def _folds(score: Score) -> str:
    return f"{min(score.folds):.3f} to {max(score.folds):.3f}" if len(score.folds) > 1 else ""


def _costs(row: Row) -> Mapping[str, str]:
    names = {"extract s": "extract_s", "fit s": "fit_s", "predict s": "predict_s"}
    if row.is_baseline:
        return {"dim": "", **dict.fromkeys(names, "")}
    cost = row.first.cost
    return {"dim": str(cost.dim), **{title: about(getattr(cost, name)) for title, name in names.items()}}


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
    """Return the number of decimals to show: to the first digit of half the interval, two to four.

    Examples
    --------
    >>> decimals(Score("accuracy", 0.9, low=0.85, high=0.94)), decimals(Score("accuracy", 0.9))
    (2, 3)
    """
    if score.low is None or score.high is None or score.high <= score.low:
        return 3
    return int(np.clip(np.ceil(-np.log10((score.high - score.low) / 2)), 2, 4))


def _interval(score: Score) -> str:
    n = decimals(score)
    return "" if score.low is None else f" [{score.low:.{n}f}, {score.high:.{n}f}]"
