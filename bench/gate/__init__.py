"""Verdicts on a run by its baseline, for CI."""

from bench.gate.verdicts import COSTS, FAILING, Change, Judged, Limit, Verdict, compare

__all__ = ["COSTS", "FAILING", "Change", "Judged", "Limit", "Verdict", "compare"]
