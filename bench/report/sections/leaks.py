"""The test for leaks: with permuted labels, every row should be at chance."""

from bench import stats
from bench.metrics import METRICS, Predicted
from bench.report import words
from bench.report.document import Notes, Section, strong, text
from bench.report.rows import Row, Table


def section(table: Table) -> Section | None:
    """Return the rows that agree with permuted labels more than by chance; None without permuted labels."""
    if not table.permuted:
        return None
    names = words.names(table)
    above = [names[row.system] for row in table.rows if _above_chance(table, row)]
    message = "every row is at chance (the interval of Cohen's kappa holds 0)."
    if above:
        share = f"{len(above)} of {len(table.rows)} rows are above chance"
        message = f"{share}, where luck alone gives one in 40: {', '.join(above)}."
    note = text(strong("Labels permuted"), f": {message}")
    return Section("", 3, (Notes((note,)),), media=frozenset({"terminal", "markdown"}), table=table.stem)


def _above_chance(table: Table, row: Row) -> bool:
    """Return whether the interval of Cohen's kappa lies above 0."""
    predictions = table.predictions(row.first)
    groups = predictions["group"].to_numpy(str)
    bounds = stats.bounds(METRICS["cohen_kappa"], Predicted.of(predictions), groups)
    return bounds is not None and bounds[0] > 0
