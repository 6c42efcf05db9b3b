"""`bench.run` and `bench.explore`: what the command line does, for notebooks and programs."""

from bench.api.explorations import Overview, explore
from bench.api.results import Results
from bench.api.runs import run

__all__ = ["Overview", "Results", "explore", "run"]
