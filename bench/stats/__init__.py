"""Uncertainty of scores: intervals, paired tests and ranks."""

from bench.stats.intervals import LEVEL, N_DRAWS, bounded, bounds, draws
from bench.stats.ranks import Standing, critical_difference, standings, untested
from bench.stats.repeats import expected_bounds
from bench.stats.selection import BestScore, best_score, draw_pairs
from bench.stats.tests import Comparison, Difference, compare, difference, holm, mcnemar, paired, permutation

__all__ = [
    "LEVEL",
    "N_DRAWS",
    "BestScore",
    "Comparison",
    "Difference",
    "Standing",
    "best_score",
    "bounded",
    "bounds",
    "compare",
    "critical_difference",
    "difference",
    "draw_pairs",
    "draws",
    "expected_bounds",
    "holm",
    "mcnemar",
    "paired",
    "permutation",
    "standings",
    "untested",
]
