"""Explore: what a collection of clips holds, from its embeddings."""

from bench.exploration.analysis import analyse, check, frame_extractors
from bench.exploration.collection import collection_of
from bench.exploration.findings import Findings
from bench.exploration.folder import Folder
from bench.exploration.map_data import clip_table
from bench.exploration.memory import Memory
from bench.exploration.sections import sections
from bench.exploration.writing import NAMES, Outcome, write

__all__ = [
    "NAMES",
    "Findings",
    "Folder",
    "Memory",
    "Outcome",
    "analyse",
    "check",
    "clip_table",
    "collection_of",
    "frame_extractors",
    "sections",
    "write",
]
