"""Uncertainty of scores: intervals, paired tests, ranks and chance."""

from bench.stats.chance import Chance, above_chance, levels
from bench.stats.intervals import LEVEL, N_DRAWS, bounded, bounds, draws
from bench.stats.ranks import Standing, critical_difference, standings
from bench.stats.stepdown import MIN_GROUPS, contributions
from bench.stats.tests import Comparison, Difference, compare, difference, holm, mcnemar, paired, permutation

__all__ = [
    "LEVEL",
    "MIN_GROUPS",
    "N_DRAWS",
    "Chance",
    "Comparison",
    "Difference",
    "Standing",
    "above_chance",
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
]
