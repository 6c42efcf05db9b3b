"""Splits: one fold per clip, no group on both sides, and a refusal of every leak."""

from bench.splits.protocols import check, joined, listed, make, permuted, target

__all__ = ["check", "joined", "listed", "make", "permuted", "target"]
