"""Engines: nearest neighbours among the vectors of an index."""

from bench.retrieval.engines.exact import nearest
from bench.retrieval.engines.maintenance import RECALL, build, damage, update
from bench.retrieval.engines.names import choose, names
from bench.retrieval.engines.neighbours import REMARKS, Neighbours, open_engine

__all__ = [
    "RECALL",
    "REMARKS",
    "Neighbours",
    "build",
    "choose",
    "damage",
    "names",
    "nearest",
    "open_engine",
    "update",
]
