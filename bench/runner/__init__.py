"""Request -> plan -> results, and their audit."""

from bench.datasets.index import datasets_of, open_dataset
from bench.embed.export import export
from bench.request import Request
from bench.runner.audit import Audit, audit
from bench.runner.estimate import estimate
from bench.runner.events import ClipCounts, EmbeddingProgress
from bench.runner.execution import run
from bench.runner.listing import split_table
from bench.runner.machine import folders
from bench.runner.planning import Plan, plan
from bench.runner.refitting import refit
from bench.runner.rerun import differences

__all__ = [
    "Audit",
    "ClipCounts",
    "EmbeddingProgress",
    "Plan",
    "Request",
    "audit",
    "datasets_of",
    "differences",
    "estimate",
    "export",
    "folders",
    "open_dataset",
    "plan",
    "refit",
    "run",
    "split_table",
]
