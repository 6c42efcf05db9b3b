"""Below a table: what the intervals of repeated cross-validation are for."""

from bench.report.document import Notes, Section, code, strong, text
from bench.report.rows import Table


def section(table: Table) -> Section | None:
    """Return how to read the column `expected`; None without repeats."""
    if not table.is_repeated:
        return None
    n_repeats = max(row.n_repeats for row in table.rows)
    note = text(
        strong(f"{n_repeats} repeats"),
        " of the cross-validation, by other assignments of groups to folds; a score is their mean. Its "
        "interval is for these fitted models on new groups. ",
        code("expected"),
        " is for the training procedure, with the luck of the training set: a 95 % interval of the mean "
        "score of models fitted to other training sets of this size (Nadeau and Bengio 2003).",
    )
    return Section("", 3, (Notes((note,)),), table=table.stem)
