"""Keys: digests of structured values, and how two values differ; no text for people is part of one."""

from bench.keys.digests import changes, digest

__all__ = ["changes", "digest"]
