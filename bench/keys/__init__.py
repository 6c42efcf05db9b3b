"""Keys: digests of everything that changes a number, never of a formatted text."""

from bench.keys.digests import digest

__all__ = ["digest"]
