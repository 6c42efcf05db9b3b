"""Notes on the ranks of a table, and on what a score is without the audio."""

from bench.report.document import Text, strong, text
from bench.report.rows import Table
from bench.stats import MIN_GROUPS


def notes(table: Table) -> list[Text]:
    """Return why rows have no rank, the levels of chance, and how rows are compared with chance."""
    return [*_ranks(table), *_chance(table)]


def _ranks(table: Table) -> list[Text]:
    rows = table.learners
    if not rows or rows[0].standing:
        return []
    reason = (
        f": no test can tell rows apart with fewer than {MIN_GROUPS} groups; the rows are ordered by score."
    )
    return [text(strong("No ranks"), reason)]


def _chance(table: Table) -> list[Text]:
    texts = []
    if table.chance:
        constant, random = f"{table.chance.constant:.2f}", f"{table.chance.stratified:.2f}"
        levels = (
            f"{table.metric} {constant} for the best single class, {random} for the labels in random order."
        )
        texts.append(text(f"Chance: {levels}"))
    rows = table.learners
    if not rows:
        return texts
    if rows[0].p_chance is None:
        reason = "too few groups" if table.chance else "too few groups, or too many scores"
        return [*texts, text(f"No test against chance: {reason}.")]
    n_better = sum(not row.at_chance for row in rows)
    result = "every row is" if n_better == len(rows) else f"{n_better} of {len(rows)} rows are"
    how = "permuted labels of groups, 5 %, corrected for the number of rows"
    return [*texts, text(f"Better than chance ({how}): {result}.")]
