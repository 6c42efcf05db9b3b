"""Below a table: the score of its best row, corrected for the choice of the best one."""

from collections import Counter

from bench import display
from bench.metrics import METRICS
from bench.report import words
from bench.report.document import Notes, Section, code, text
from bench.report.rows import Table


def chosen(table: Table) -> Section | None:
    """Return which rows were chosen in inner folds, and how often; None without such a row."""
    if not table.selected:
        return None
    [row] = table.selected
    names = {item.key: words.name(table, line) for line in table.rows for item in line.results}
    choices = [choice for item in row.results for choice in item.chosen]
    counts = Counter(names.get(choice.key, display.head(choice)) for choice in choices)
    folds = ", ".join(f"{name} in {n}" for name, n in counts.most_common())
    sentence = (
        " is the score of taking the best row: in every fold the row that is best in inner folds of the "
        f"training side. Chosen in {counts.total()} folds: {folds}."
    )
    return Section("", 3, (Notes((text(code(row.system.head), sentence),)),), table=table.stem)


def section(table: Table) -> Section | None:
    """Return the corrected score of the best row; None for a single row or a single group."""
    best, corrected = table.best, table.best_corrected
    if best is None or corrected is None:
        return None
    n_rows = len(table.learners)
    extreme = "highest" if METRICS[table.metric].higher_is_better else "lowest"
    interval = f"[{corrected.low:.3f}, {corrected.high:.3f}]"
    sentence = (
        f"The best of {n_rows} rows, corrected for the choice (BBC-CV): {table.metric} "
        f"{corrected.value:.3f} {interval}. Its score of {table.ranking(best).value:.3f} in the table is the "
        f"{extreme} of {n_rows}, and so partly luck."
    )
    return Section("", 3, (Notes((text(sentence),)),), table=table.stem)
