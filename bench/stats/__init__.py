"""Uncertainty of scores: intervals, paired tests and ranks."""

from bench.stats.confidence import bound, bounded, bounds
from bench.stats.intervals import LEVEL, N_DRAWS, draws
from bench.stats.ranks import Standing, critical_difference, standings, untested
from bench.stats.tests import Comparison, Difference, compare, difference, holm, mcnemar, paired, permutation

__all__ = [
    "LEVEL",
    "N_DRAWS",
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
]
