"""Engines: nearest neighbours among the vectors of an index."""
