"""Explore: what a collection of clips holds, from its embeddings."""

from bench.explore.analysis import analyse, frame_extractors
from bench.explore.collection import collection_of
from bench.explore.findings import Findings
from bench.explore.folder import Folder
from bench.explore.map_data import clip_table
from bench.explore.memory import Memory
from bench.explore.sections import sections
from bench.explore.writing import NAMES, Outcome, write

__all__ = [
    "NAMES",
    "Findings",
    "Folder",
    "Memory",
    "Outcome",
    "analyse",
    "clip_table",
    "collection_of",
    "frame_extractors",
    "sections",
    "write",
]
