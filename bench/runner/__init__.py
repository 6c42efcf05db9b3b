"""`plan` -> cells, `run` -> results."""

from bench.runner.execution import Observer, run
from bench.runner.planning import Plan, Request, plan
from bench.runner.record import Counters

__all__ = ["Counters", "Observer", "Plan", "Request", "plan", "run"]
