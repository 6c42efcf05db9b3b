"""`plan` -> cells, `run` -> results."""

from bench.runner.execution import Observer, run
from bench.runner.export import export
from bench.runner.planning import Plan, Request, open_dataset, plan, split_table
from bench.runner.record import Counters

__all__ = ["Counters", "Observer", "Plan", "Request", "export", "open_dataset", "plan", "run", "split_table"]
