"""Verdicts as text: Markdown, JUnit XML, and annotations that GitHub shows beside a commit."""

from collections import Counter
from collections.abc import Collection, Sequence

from bench import display, stats
from bench.gate.differences import Difference
from bench.gate.limits import Limit
from bench.gate.verdicts import FAILING, Judged, Verdict, verdict_on
from bench.report.document import EMPTY, Block, Cell, Grid, Paragraph, Section, cell, code, strong, text
from bench.report.writers import junit, markdown
from bench.types import Result

HEADERS = ("verdict", "data set", "task", "cell", "what", "before", "after", "change", "p", "visible loss")

NOTE = text(
    "Intervals show the paired differences, from a bootstrap over groups; ",
    code("p"),
    " has Holm's correction for all comparisons.",
)

VISIBLE_HEADERS = ("data set", "task", "cell", "what", "groups", "visible loss")

VISIBLE = text(
    "A ",
    strong("visible loss"),
    f" is the smallest true loss that this gate finds in {stats.POWER:.0%} of all runs: the measured loss "
    "has to exceed the limit and be significant.",
)

UNTESTABLE = text(
    strong(Verdict.UNTESTABLE),
    f": fewer than {stats.MIN_GROUPS} groups are too few for a test, so that the limit alone counts.",
)


def summary(cells: Sequence[Judged]) -> str:
    """Return the number of cells with every verdict, in one line."""
    counts = Counter(judged.verdict for judged in cells)
    numbers = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return f"{len(cells)} cells: {numbers or 'none'}"


def as_markdown(cells: Sequence[Judged], failing: Collection[Verdict] = FAILING) -> str:
    """Return the Markdown of all cells that are not unchanged, and of the losses that the gate could see.

    Parameters
    ----------
    failing : Collection[Verdict]
        Verdicts that fail the gate.
    """
    changed = [judged for judged in cells if judged.verdict != Verdict.UNCHANGED]
    rows = tuple(row for judged in changed for row in _rows(judged, failing))
    visible = tuple(
        row for judged in cells if judged.verdict == Verdict.UNCHANGED for row in _visible_rows(judged)
    )
    title = f"Compared with the baseline: {'failed' if fails(cells, failing) else 'passed'}"
    blocks: list[Block] = [Paragraph(text(summary(cells)))]
    if rows:
        blocks += [Grid(HEADERS, rows), Paragraph(NOTE)]
    if any(judged.verdict == Verdict.UNTESTABLE for judged in cells):
        blocks.append(Paragraph(UNTESTABLE))
    if rows or visible:
        blocks.append(Paragraph(VISIBLE))
    if visible:
        blocks.append(Grid(VISIBLE_HEADERS, visible))
    return markdown.text([Section(title, 2, tuple(blocks))]) + "\n"


def fails(cells: Sequence[Judged], failing: Collection[Verdict] = FAILING) -> bool:
    """Return whether a cell fails the gate."""
    return any(judged.verdict in failing for judged in cells)


def _rows(judged: Judged, failing: Collection[Verdict]) -> list[tuple[Cell, ...]]:
    """Return a row per difference with the cell's verdict, or one with the reason."""
    verdict = str(judged.verdict)
    names = (
        Cell(verdict, text(strong(verdict) if judged.verdict in failing else verdict)),
        *_names(judged.result),
    )
    if not judged.differences:
        return [(*names, cell(judged.reason), *[EMPTY] * 5)]
    return [(*names, *_numbers(difference)) for difference in _decisive(judged)]


def _names(result: Result) -> tuple[Cell, ...]:
    """Return the cells that say which cell of the matrix a row is about."""
    system = display.system(result.system, result.seed, result.repeat)
    return cell(result.dataset), cell(result.task.name), cell(system)


def _visible_rows(judged: Judged) -> list[tuple[Cell, ...]]:
    """Return a row for every difference of a cell with a visible loss."""
    return [
        (*_names(judged.result), _what(item.limit), cell(item.n_groups or 0), _visible(item))
        for item in judged.differences
        if item.visible_loss is not None
    ]


def _decisive(judged: Judged) -> list[Difference]:
    """Return the differences that have the cell's verdict."""
    return [item for item in judged.differences if verdict_on(item) == judged.verdict]


def _numbers(difference: Difference) -> tuple[Cell, ...]:
    before, after = difference.before, difference.after
    return (
        _what(difference.limit),
        cell(before, f"{before:.3f}"),
        cell(after, f"{after:.3f}"),
        cell(_change(difference)),
        EMPTY if difference.p is None else cell(difference.p, f"{difference.p:.4f}"),
        _visible(difference),
    )


def _what(limit: Limit) -> Cell:
    return cell(f"{limit.name}, limit {limit.most:g}{'x' if limit.is_cost else ''}")


def _visible(difference: Difference) -> Cell:
    loss = difference.visible_loss
    return EMPTY if loss is None else cell(loss, f"{loss:.3f}")


def _change(difference: Difference) -> str:
    """Return a difference with its interval, or with the spread that replaces it."""
    if difference.limit.is_cost:
        return f"{difference.after / difference.before:.2f}x"
    change = f"{difference.after - difference.before:+.3f}"
    if difference.low is not None and difference.high is not None:
        return f"{change} [{difference.low:+.3f}, {difference.high:+.3f}]"
    return change if difference.spread is None else f"{change} (folds spread by {difference.spread:.3f})"


def _sentence(judged: Judged) -> str:
    """Return the verdict on a cell and its reason in one line, without markup."""
    changes = [
        f"{item.limit.name} {item.before:.3f} -> {item.after:.3f}, {_change(item)}{_power(item)}"
        for item in _decisive(judged)
    ]
    return f"{judged.verdict}: {'; '.join(changes) or judged.reason}"


def _power(difference: Difference) -> str:
    """Return what a difference says of its groups and of its visible loss; empty without predictions."""
    if not difference.is_testable:
        return f", {difference.n_groups} groups are too few for a test"
    return "" if difference.visible_loss is None else f", visible loss {difference.visible_loss:.3f}"


def as_junit(cells: Sequence[Judged], failing: Collection[Verdict] = FAILING) -> str:
    """Return JUnit XML with a case per cell; those that fail the gate fail."""
    cases = [
        junit.Case.of(judged.result, "failure" if judged.verdict in failing else "passed", _sentence(judged))
        for judged in cells
    ]
    return junit.xml([("bench compare", cases)])


def annotations(cells: Sequence[Judged], failing: Collection[Verdict] = FAILING) -> list[str]:
    """Return the workflow commands of GitHub Actions for the cells that fail the gate."""
    return [
        f"::error title={_property(display.cell(judged.result))}::{_data(_sentence(judged))}"
        for judged in cells
        if judged.verdict in failing
    ]


def _data(text: str) -> str:
    """Return a text with the escapes of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
