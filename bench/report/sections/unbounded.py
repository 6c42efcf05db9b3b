"""Notes on the scores of a table that have no interval, and why."""

from collections import Counter
from collections.abc import Mapping

from bench.report.document import Text, strong, text
from bench.report.rows import Table
from bench.stats.confidence import MIN_EFFECTIVE, MIN_FAILING, UNSEEN_SHARE
from bench.types import Unbounded

REASONS: Mapping[Unbounded, str] = {
    "few_groups": f"their groups are worth fewer than {MIN_EFFECTIVE:g} groups of equal size",
    "rare_failures": f"fewer than {MIN_FAILING} groups have an error, so that one group in "
    f"{1 / UNSEEN_SHARE:.0f} may fail altogether unseen",
}


def notes(table: Table) -> list[Text]:
    """Return a text per reason for which scores cannot be bounded."""
    reasons = Counter(score.unbounded for row in table.lines for score in row.scores)
    return [
        text(strong("Too few groups to bound"), f" {count(reasons[name])}: {reason}.")
        for name, reason in REASONS.items()
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
