"""`bench.run`, `bench.explore`, `bench.load_model`: what the command line does, in notebooks and programs."""

from bench.api.explorations import Overview, explore
from bench.api.models import LoadedModel, load_model
from bench.api.results import Results
from bench.api.runs import run

__all__ = ["LoadedModel", "Overview", "Results", "explore", "load_model", "run"]
