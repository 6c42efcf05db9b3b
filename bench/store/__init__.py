"""Results and predictions on disk: append-only, versioned, whole after any kill."""

from bench.store.folder import Store
from bench.store.lines import read_results, write_results
from bench.store.record import Counters, DatasetRecord, ReportRecord, RunRecord, TableProtocol

__all__ = [
    "Counters",
    "DatasetRecord",
    "ReportRecord",
    "RunRecord",
    "Store",
    "TableProtocol",
    "read_results",
    "write_results",
]
