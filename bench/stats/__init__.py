"""Uncertainty of scores: intervals, paired tests, ranks and chance."""

from bench.stats.chance import Chance, above_chance, levels
from bench.stats.confidence import bound, bounded, bounds
from bench.stats.intervals import LEVEL, N_DRAWS, draws
from bench.stats.ranks import Standing, critical_difference, standings
from bench.stats.stepdown import MIN_GROUPS, contributions
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
    "MIN_GROUPS",
    "N_DRAWS",
    "POWER",
    "Chance",
    "Comparison",
    "Difference",
    "Standing",
    "above_chance",
    "bound",
    "bounded",
    "bounds",
    "compare",
    "contributions",
    "critical_difference",
    "difference",
    "draws",
    "holm",
    "levels",
    "mcnemar",
    "paired",
    "permutation",
    "standings",
    "visible_loss",
]
