"""Tables of results: one per dataset and task, best row first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from bench.metrics import METRICS
from bench.store import Store
from bench.types import BASELINE, Result, Status

SYNTHETIC = "synthetic"
LEAKY = "leaky split"


@dataclass(frozen=True, slots=True)
class Table:
    """The results of one task on one dataset.

    Parameters
    ----------
    protocol : Mapping[str, Any]
        What run.json says of the split and the metrics; empty if the split was impossible.
    source : Mapping[str, Any]
        What run.json says of the dataset.
    rows : Sequence[Result]
        The computed cells, best first.
    others : Sequence[Result]
        The failed and skipped ones.
    """

    dataset: str
    task: str
    protocol: Mapping[str, Any]
    source: Mapping[str, Any]
    rows: Sequence[Result]
    others: Sequence[Result]

    @property
    def title(self) -> str:
        """Return the dataset's name, marked if it is synthetic or its split leaks."""
        marks = [SYNTHETIC] * self.source["synthetic"] + [LEAKY] * self.protocol.get("leaky", False)
        return f"{self.dataset} ({', '.join(marks)})" if marks else self.dataset

    @property
    def best(self) -> Result | None:
        """Return the best row that is not the baseline."""
        return next((row for row in self.rows if row.head != BASELINE), None)

    def name(self, row: Result) -> str:
        """Return what a row is called in other tables of the report."""
        if row.head == BASELINE:
            return BASELINE
        seed = f" seed {row.seed}" if len({each.seed for each in self.rows}) > 1 else ""
        view = f" {row.view}" if len({each.view for each in self.rows}) > 1 else ""
        return f"{row.extractor}{view} {row.head}{seed}"

    @property
    def main(self) -> str:
        """Return the metric that ranks."""
        return str(self.protocol["metrics"][0])


def tables(store: Store) -> list[Table]:
    """Return the tables of the newest run's plan, in its order.

    Raises
    ------
    UsageError
        If the store holds no run.
    """
    run = store.run()
    known = store.results()
    results = [known[key] for key in run["cells"] if key in known]
    protocols = {(table["dataset"], table["task"]): table for table in run["tables"]}
    made = []
    for dataset, task in dict.fromkeys((result.dataset, result.task) for result in results):
        own = [result for result in results if (result.dataset, result.task) == (dataset, task)]
        protocol = protocols.get((dataset, task), {})
        rows = _ranked([result for result in own if result.status == Status.OK], protocol)
        others = [result for result in own if result.status != Status.OK]
        made.append(Table(dataset, task, protocol, run["datasets"][dataset], rows, others))
    return made


def _ranked(rows: Sequence[Result], protocol: Mapping[str, Any]) -> list[Result]:
    """Return the rows best first, ties by name; of the baseline's equal rows only one."""
    if not rows:
        return []
    main = protocol["metrics"][0]
    sign = -1 if METRICS[main].higher_is_better else 1
    ordered = sorted(
        rows, key=lambda row: (sign * row.scores[main].value, row.extractor, row.view, row.head, row.seed)
    )
    baselines: set[object] = set()
    kept = []
    for row in ordered:
        what = (row.seed, row.n_test, tuple((name, score.value) for name, score in row.scores.items()))
        if row.head != BASELINE or what not in baselines:
            kept.append(row)
        if row.head == BASELINE:
            baselines.add(what)
    return kept


def head(store: Store) -> str:
    """Return the top of the leaderboard: what ran, and what is to be known of its data."""
    run = store.run()
    lines = ["# Leaderboard", ""]
    if run["command"]:
        lines += [f"Made by `{run['command']}` with audio-embedding-bench {run['env']['bench']}.", ""]
    if not run["finished"]:
        lines += ["**The run was interrupted:** the same command goes on where it stopped.", ""]
    lines += [
        "A score is over all tested clips; behind it is the range over the folds. Equal scores share a rank.",
        "`extract s`, `fit s` and `predict s` are of all clips and folds, on the machine that computed them.",
    ]
    return "\n".join(lines)


def section(table: Table) -> str:
    """Return the Markdown of one table, with its split and everything that was not computed."""
    lines = [f"## {table.task} on {escaped(table.title)}", ""]
    lines += [f"- {line}" for line in _facts(table)]
    if table.rows:
        lines += ["", tabulate(_cells(table), headers="keys", tablefmt="github", disable_numparse=True)]
    reasons: dict[tuple[str, str], list[str]] = {}
    for result in table.others:
        cell = f"{result.extractor} ({result.view}) x {result.head}"
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
    steps = dict.fromkeys((row.extractor, row.preprocess) for row in table.rows if row.preprocess)
    facts += [f"Preprocessing of {escaped(name)}: {escaped(told)}." for name, told in steps]
    n_bad = max((row.n_bad for row in table.rows), default=0)
    if n_bad:
        facts.append(f"{n_bad} clips could not be decoded and are left out: see bad_clips.csv.")
    return facts + [escaped(note) for note in source["notes"]]


def _cells(table: Table) -> list[dict[str, str]]:
    """Return the rows of the table as column -> text."""
    values = [row.scores[table.main].value for row in table.rows]
    several_seeds = len({row.seed for row in table.rows}) > 1
    lines = []
    for row, value in zip(table.rows, values, strict=True):
        folds = row.scores[table.main].folds
        baseline = row.head == BASELINE
        line = {
            "rank": str(1 + values.index(value)),
            "extractor": "any" if baseline else escaped(row.extractor),
            "view": "" if baseline else row.view,
            "head": f"{escaped(row.head)} (majority class)" if baseline else escaped(row.head),
            **({"seed": str(row.seed)} if several_seeds else {}),
            table.main: f"**{value:.3f}**" if value == values[0] else f"{value:.3f}",
            "folds": f"{min(folds):.3f} to {max(folds):.3f}" if len(folds) > 1 else "",
            **{name: f"{score.value:.3f}" for name, score in row.scores.items() if name != table.main},
            "clips": str(row.n_test),
            "dim": "" if baseline else str(row.cost.dim),
            "extract s": "" if baseline else f"{row.cost.extract_s:.2f}",
            "fit s": f"{row.cost.fit_s:.2f}",
            "predict s": f"{row.cost.predict_s:.2f}",
        }
        lines.append(line)
    return lines


def escaped(text: str) -> str:
    r"""Return text as Markdown that shows it as it is, in a table too.

    Examples
    --------
    >>> escaped("a|b")
    'a\\|b'
    """
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
