"""Below a table: the score of its best row, corrected for the choice of the best one."""

from collections import Counter

from bench.metrics import METRICS
from bench.report import words
from bench.report.document import Notes, Section, code, text
from bench.report.rows import Table
from bench.types import Score


def chosen(table: Table) -> Section | None:
    """Return which rows were chosen in inner folds, and how often; None without such a row."""
    if not table.selected:
        return None
    [row] = table.selected
    names = {item.key: words.name(table, line) for line in table.rows for item in line.results}
    counts = Counter(names.get(choice.key, choice.head) for item in row.results for choice in item.chosen)
    folds = ", ".join(f"{name} in {n}" for name, n in counts.most_common())
    sentence = (
        " is the score of taking the best row: in every fold the row that is best in inner folds of the "
        f"training side. Of {counts.total()} folds, it was {folds}."
    )
    return Section("", 3, (Notes((text(code(row.system.head), sentence),)),), table=table.stem)


def section(table: Table) -> Section | None:
    """Return the corrected score of the best row; None for a single row or a single group."""
    best, corrected = table.best, table.best_corrected
    if best is None or corrected is None:
        return None
    n_rows = sum(not row.is_baseline for row in table.rows)
    score = Score(table.metric, corrected.value, low=corrected.low, high=corrected.high)
    extreme = "highest" if METRICS[table.metric].higher_is_better else "lowest"
    shown = words.value(table.ranking(best))
    sentence = (
        f"The best of {n_rows} rows, corrected for the choice (BBC-CV): {table.metric} "
        f"{words.number(score)}. "
        f"Its score of {shown} in the table is the {extreme} of {n_rows}, and so partly luck."
    )
    return Section("", 3, (Notes((text(sentence),)),), table=table.stem)
