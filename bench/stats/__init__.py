"""Uncertainty of scores: intervals, paired tests, ranks and chance."""

from bench.stats.chance import Chance, above_chance, levels
from bench.stats.confidence import bound, bounded, bounds
from bench.stats.intervals import LEVEL, N_DRAWS, draws
from bench.stats.ranks import Standing, critical_difference, standings
from bench.stats.repeats import expected_bounds
from bench.stats.selection import BestScore, best_score, draw_pairs
from bench.stats.stepdown import MIN_GROUPS, contributions
from bench.stats.tests import (
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
    "LEVEL",
    "MIN_GROUPS",
    "N_DRAWS",
    "POWER",
    "BestScore",
    "Chance",
    "Comparison",
    "Difference",
    "Standing",
    "above_chance",
    "best_score",
    "bound",
    "bounded",
    "bounds",
    "compare",
    "contributions",
    "critical_difference",
    "difference",
    "draw_pairs",
    "draws",
    "expected_bounds",
    "holm",
    "levels",
    "mcnemar",
    "paired",
    "permutation",
    "standings",
    "visible_loss",
]
