"""Leaderboards as Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench import intervals, markdown
from bench.markdown import escaped
from bench.metrics import METRICS, Predicted
from bench.report.tables import Row, Table
from bench.store import Store
from bench.types import BASELINE, Result, Score

FEW_GROUPS = 20
"""Below it, what the groups say of others is rough."""

FEW_GROUPS_OF_A_CLASS = 5


def head(store: Store) -> str:
    """Return the top of the leaderboard: what ran, and what is to be known of its data."""
    run = store.run()
    lines = ["# Leaderboard", ""]
    if run["command"]:
        lines += [f"Made by `{run['command']}` with audio-embedding-bench {run['env']['bench']}.", ""]
    if not run["finished"]:
        lines += ["**The run was interrupted:** the same command goes on where it stopped.", ""]
    lines += [
        "A score is over all tested clips, with its 95 % interval by a bootstrap over groups; `folds` is the",
        "range over the folds. `rank` is the range of ranks that the paired differences allow, corrected by",
        "Holm for all pairs of the table; bold are all rows that cannot be told from the best.",
        "`extract s`, `fit s` and `predict s` are of all clips and folds, on the machine that computed them.",
    ]
    return "\n".join(lines)


def section(table: Table) -> str:
    """Return the Markdown of one table, with its split and everything that was not computed."""
    lines = [f"## {table.task} on {escaped(table.title)}", ""]
    lines += [f"- {line}" for line in _facts(table)]
    if table.rows:
        lines += ["", markdown.table(_cells(table))]
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in table.others:
        size = f", {result.train_size:g} of the training groups" if result.train_size < 1 else ""
        cell = f"{result.extractor} ({result.view}) x {result.head}{size}"
        reasons.setdefault((result.status, result.reason), []).append(cell)
    if reasons:
        lines.append("")
    for (status, reason), cells in reasons.items():
        lines.append(f"- **{status}**: {escaped(', '.join(cells))}: {escaped(reason)}")
    return "\n".join(lines)


def _facts(table: Table) -> list[str]:
    """Return what has to be known before a number is believed."""
    source, protocol = table.source, table.protocol
    facts = []
    if source["synthetic"]:
        facts.append(
            "**Synthetic audio**: these numbers show that the tool works and say nothing about real audio."
        )
    facts.append(
        f"Data: {source['n_clips']} clips, version {source['version']}, content `{source['content'][:12]}`."
    )
    if protocol:
        facts.append(
            f"Split: {protocol['split']} ({protocol['n_groups']} groups), {protocol['n_folds']} tested "
            f"fold{'s' if protocol['n_folds'] > 1 else ''}, {protocol['n_classes']} classes."
        )
        if protocol["apart"]:
            facts.append(f"On one side of every fold alone: each {', '.join(protocol['apart'])}.")
        if protocol["leaky"]:
            facts.append(
                "**Leaky split**: for demonstration only; these numbers are higher than honest ones."
            )
        if protocol["note"]:
            facts.append(f"No stricter split was possible: {escaped(protocol['note'])}.")
        if protocol.get("augment"):
            facts.append(f"Training clips besides, changed and never tested: {escaped(protocol['augment'])}.")
        size = max((row.first.train_size for row in table.rows), default=1.0)
        if size < 1:
            facts.append(f"Heads learnt from {size:g} of the training groups of every class.")
        facts += _doubts(protocol)
    steps = dict.fromkeys((row.first.extractor, row.first.preprocess) for row in table.rows)
    facts += [f"Preprocessing of {escaped(name)}: {escaped(told)}." for name, told in steps if told]
    n_bad = max((row.first.n_bad for row in table.rows), default=0)
    if n_bad:
        facts.append(f"{n_bad} clips could not be decoded and are left out: see bad_clips.csv.")
    return facts + [escaped(note) for note in source["notes"]]


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


def leaks(store: Store, table: Table) -> str:
    """Return what permuted labels show: the rows whose agreement with them is beyond chance."""
    kappa = METRICS["cohen_kappa"]
    above = []
    for row in table.rows:
        predictions = store.predictions(row.first.key)
        found = intervals.bounds(kappa, Predicted.of(predictions), predictions["group"].to_numpy(str))
        if found and found[0] > 0:
            above.append(table.name(row))
    if not above:
        return "- **Labels permuted**: every row is at chance (the interval of Cohen's kappa holds 0)."
    share = f"{len(above)} of {len(table.rows)} rows are above chance, of which one in 40 is by luck"
    return f"- **Labels permuted**: {share}: {', '.join(map(escaped, above))}."


def against_the_best(store: Store, table: Table) -> str:
    """Return the Markdown of how the other rows differ from the best one; none where there is one group."""
    best, *others = table.rows
    metric = METRICS[table.main]
    first = store.predictions(best.first.key).set_index("clip")
    lines = []
    for row in others:
        second = store.predictions(row.first.key).set_index("clip")
        common = first.index.intersection(second.index, sort=False)
        worse, better = (Predicted.of(predictions.loc[common]) for predictions in (second, first))
        group = first.loc[common, "group"].to_numpy(str)
        if len(np.unique(group)) < 2:
            return ""
        found = intervals.compare(metric, worse, better, group)
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
    names = list(dict.fromkeys(name for row in table.rows for name in row.scores if name != table.main))
    return [
        {
            "rank": _ranks(row),
            "extractor": "any" if row.first.head == BASELINE else escaped(row.first.extractor),
            "view": "" if row.first.head == BASELINE else row.first.view,
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


def _ranks(row: Row) -> str:
    low, high = row.standing.low, row.standing.high
    return str(low) if low == high else f"{low}-{high}"


def _main(row: Row, metric: str) -> str:
    score = row.scores[metric]
    value = f"**{score.value:.3f}**" if row.standing.tied else f"{score.value:.3f}"
    return value + _interval(score)


def _folds(score: Score) -> str:
    return f"{min(score.folds):.3f} to {max(score.folds):.3f}" if len(score.folds) > 1 else ""


def _costs(result: Result) -> dict[str, str]:
    baseline = result.head == BASELINE
    return {
        "dim": "" if baseline else str(result.cost.dim),
        "extract s": "" if baseline else f"{result.cost.extract_s:.2f}",
        "fit s": f"{result.cost.fit_s:.2f}",
        "predict s": f"{result.cost.predict_s:.2f}",
    }


def number(score: Score) -> str:
    """Return a score with its interval, if it has one."""
    return f"{score.value:.3f}{_interval(score)}"


def _interval(score: Score) -> str:
    return "" if score.low is None else f" [{score.low:.3f}, {score.high:.3f}]"
