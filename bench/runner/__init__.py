"""`plan` -> cells, `run` -> results."""

from bench.runner.audit import audit, differences, request_of
from bench.runner.execution import run
from bench.runner.export import export
from bench.runner.observing import Observer
from bench.runner.outlook import Outlook, outlook
from bench.runner.planning import Plan, plan, split_table
from bench.runner.record import Counters
from bench.runner.request import Request
from bench.runner.sources import open_dataset

__all__ = [
    "Counters",
    "Observer",
    "Outlook",
    "Plan",
    "Request",
    "audit",
    "differences",
    "export",
    "open_dataset",
    "outlook",
    "plan",
    "request_of",
    "run",
    "split_table",
]
