"""Below a table: the score of its best row, corrected for the choice of the best one."""

from bench.metrics import METRICS
from bench.report import words
from bench.report.document import Notes, Section, text
from bench.report.rows import Table
from bench.types import Score


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
        f"The best of {n_rows} rows, corrected for the choice (BBC-CV): {table.metric} {words.number(score)}. "
        f"Its score of {shown} in the table is the {extreme} of {n_rows}, and so partly luck."
    )
    return Section("", 3, (Notes((text(sentence),)),), table=table.stem)
