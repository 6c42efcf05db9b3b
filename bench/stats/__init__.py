"""Uncertainty of scores: intervals, paired tests and ranks."""

from bench.stats.confidence import bound, bounded, bounds
from bench.stats.intervals import LEVEL, N_DRAWS, draws
from bench.stats.ranks import Standing, critical_difference, standings, untested
from bench.stats.tests import (
    FEWEST_GROUPS,
    POWER,
    Comparison,
    Difference,
    compare,
    difference,
    holm,
    mcnemar,
    paired,
    permutation,
    visible_loss,
)

__all__ = [
    "FEWEST_GROUPS",
    "LEVEL",
    "N_DRAWS",
    "POWER",
    "Comparison",
    "Difference",
    "Standing",
    "bound",
    "bounded",
    "bounds",
    "compare",
    "critical_difference",
    "difference",
    "draws",
    "holm",
    "mcnemar",
    "paired",
    "permutation",
    "standings",
    "untested",
    "visible_loss",
]
