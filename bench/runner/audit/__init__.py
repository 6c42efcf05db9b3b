"""Verify a folder: its lines, scores, splits, record, data, extractors, heads and models."""

from bench.runner.audit.folder import Audit, audit

__all__ = ["Audit", "audit"]
