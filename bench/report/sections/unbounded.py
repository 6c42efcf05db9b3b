"""Notes on the scores of a table that have no interval, and why."""

from collections import Counter

from bench.report import words
from bench.report.document import Text, strong, text
from bench.report.rows import Table


def notes(table: Table) -> list[Text]:
    """Return a text per reason for which scores cannot be bounded."""
    reasons = Counter(score.unbounded for row in table.lines for score in row.scores)
    return [
        text(strong("Too few groups to bound"), f" {count(reasons[name])}: {reason}.")
        for name, reason in words.UNBOUNDED.items()
        if reasons[name]
    ]


def count(n_scores: int) -> str:
    """Return a number of scores.

    Examples
    --------
    >>> count(1), count(3)
    ('1 score', '3 scores')
    """
    return f"{n_scores} score{'s' if n_scores > 1 else ''}"
