"""What the command line does, in notebooks and programs: `bench.run`, `bench.explore`, `bench.index`."""

from bench.api.explorations import Overview, explore
from bench.api.indexes import OpenedIndex, index, open_index
from bench.api.models import LoadedModel, load_model
from bench.api.results import Results
from bench.api.runs import run

__all__ = [
    "LoadedModel",
    "OpenedIndex",
    "Overview",
    "Results",
    "explore",
    "index",
    "load_model",
    "open_index",
    "run",
]
