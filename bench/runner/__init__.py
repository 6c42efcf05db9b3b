"""Request -> plan -> results, and their audit."""

from bench.datasets.index import open_dataset
from bench.embed.export import export
from bench.request import Request
from bench.runner.audit import audit
from bench.runner.estimate import Outlook, outlook
from bench.runner.events import Observer, notices
from bench.runner.planning import Plan, plan, split_table
from bench.runner.rerun import differences
from bench.runner.schedule import run
from bench.store import Counters

__all__ = [
    "Counters",
    "Observer",
    "Outlook",
    "Plan",
    "Request",
    "audit",
    "differences",
    "export",
    "notices",
    "open_dataset",
    "outlook",
    "plan",
    "run",
    "split_table",
]
