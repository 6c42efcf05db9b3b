"""`plan` -> cells, `run` -> results."""

from bench.datasets.index import open_dataset
from bench.embed.export import export
from bench.request import Request
from bench.runner.audit import audit, differences, request_of
from bench.runner.estimate import Outlook, outlook
from bench.runner.events import Observer, progress_factory
from bench.runner.planning import Plan, plan, split_table
from bench.runner.provenance import Counters
from bench.runner.schedule import run

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
    "progress_factory",
    "request_of",
    "run",
    "split_table",
]
