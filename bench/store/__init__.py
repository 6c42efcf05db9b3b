"""Results and predictions on disk: append-only, versioned, whole after any kill."""

from bench.store.folder import Store, read_results, write_results

__all__ = ["Store", "read_results", "write_results"]
