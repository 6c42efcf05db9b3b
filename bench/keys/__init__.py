"""Keys: digests of structured values; no text for people is part of one."""

from bench.keys.digests import digest

__all__ = ["digest"]
