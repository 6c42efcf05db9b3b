"""Verdicts on a run by its baseline, for CI."""

from bench.gate.differences import Difference
from bench.gate.limits import COSTS, Limit
from bench.gate.verdicts import FAILING, Judged, Verdict, check_compared, compare

__all__ = ["COSTS", "FAILING", "Difference", "Judged", "Limit", "Verdict", "check_compared", "compare"]
