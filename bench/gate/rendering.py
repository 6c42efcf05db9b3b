"""The verdict in words: Markdown, JUnit XML, and the annotations that GitHub shows beside a change."""

from collections import Counter
from collections.abc import Sequence

from bench.gate import COSTS, FAILING, Change, Judged, Verdict
from bench.report import junit, markdown
from bench.report.markdown import escaped
from bench.types import Result


def summary(judged: Sequence[Judged]) -> str:
    """Return how many cells became what, in one line."""
    counts = Counter(each.verdict for each in judged)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return f"{len(judged)} cells: {told or 'none'}"


def text(judged: Sequence[Judged]) -> str:
    """Return the Markdown of everything that is not as it was."""
    rows = [row for each in judged if each.verdict != Verdict.UNCHANGED for row in _rows(each)]
    verdict = "**failed**" if fails(judged) else "passed"
    lines = [f"## Compared with the baseline: {verdict}", "", summary(judged), ""]
    if rows:
        note = "Intervals are of the paired differences by a bootstrap over groups, `p` is corrected by Holm."
        lines += [markdown.table(rows), "", note, ""]
    return "\n".join(lines)


def fails(judged: Sequence[Judged]) -> bool:
    """Return whether a gate has to stop."""
    return any(each.verdict in FAILING for each in judged)


def _rows(judged: Judged) -> list[dict[str, str]]:
    """Return a row per change that gave a cell its verdict, or one with the reason."""
    result = judged.result
    shared = {
        "verdict": f"**{judged.verdict}**" if judged.verdict in FAILING else str(judged.verdict),
        "data set": escaped(result.dataset),
        "task": escaped(result.task),
        "cell": escaped(_cell(result)),
    }
    if not judged.changes:
        return [{**shared, "what": escaped(judged.reason), "before": "", "after": "", "change": "", "p": ""}]
    return [
        {
            **shared,
            "what": f"{change.limit.name}, limit {_limit(change)}",
            "before": f"{change.before:.3f}",
            "after": f"{change.after:.3f}",
            "change": _changed(change),
            "p": "" if change.p is None else f"{change.p:.4f}",
        }
        for change in judged.changes
        if change.verdict == judged.verdict
    ]


def _cell(result: Result) -> str:
    """Return a cell's name within its table."""
    parts = [f"{result.extractor} ({result.view})", result.head, result.preprocess, result.augment]
    if result.train_size < 1:
        parts.append(f"{result.train_size:g} of the training groups")
    if result.seed:
        parts.append(f"seed {result.seed}")
    return ", ".join(filter(None, parts))


def _limit(change: Change) -> str:
    return f"{change.limit.most:g}{'x' if change.limit.name in COSTS else ''}"


def _changed(change: Change) -> str:
    """Return by how much something changed, and how sure that is."""
    if change.limit.name in COSTS:
        return f"{change.after / change.before:.2f}x"
    told = f"{change.after - change.before:+.3f}"
    if change.low is not None and change.high is not None:
        return f"{told} [{change.low:+.3f}, {change.high:+.3f}]"
    return told if change.spread is None else f"{told} (folds spread by {change.spread:.3f})"


def _sentence(judged: Judged) -> str:
    """Return what became of a cell in one line without Markdown."""
    told = [
        f"{change.limit.name} {change.before:.3f} -> {change.after:.3f}, {_changed(change)}"
        for change in judged.changes
        if change.verdict == judged.verdict
    ]
    return f"{judged.verdict}: {'; '.join(told) or judged.reason}"


def as_junit(judged: Sequence[Judged]) -> str:
    """Return JUnit XML with a case per cell, which failed if a gate has to stop at it."""
    cases = [
        junit.Case(
            f"{each.result.dataset}.{each.result.task}",
            _cell(each.result),
            "failure" if each.verdict in FAILING else "passed",
            _sentence(each),
        )
        for each in judged
    ]
    return junit.text({"bench compare": cases})


def annotations(judged: Sequence[Judged]) -> list[str]:
    """Return the workflow commands of GitHub Actions that show every cell at which a gate stops."""
    lines = []
    for each in judged:
        if each.verdict in FAILING:
            result = each.result
            title = _property(f"{result.task} on {result.dataset}: {_cell(result)}")
            lines.append(f"::error title={title}::{_data(_sentence(each))}")
    return lines


def _data(text: str) -> str:
    """Return text as a workflow command takes it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
