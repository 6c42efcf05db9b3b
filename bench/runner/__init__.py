"""`plan` -> cells, `run` -> results."""

from bench.runner.execution import Counters, Observer, run
from bench.runner.planning import Plan, Request, plan

__all__ = ["Counters", "Observer", "Plan", "Request", "plan", "run"]
