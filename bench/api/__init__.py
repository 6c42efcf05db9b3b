"""`bench.run`: what the command line does, for notebooks and programs."""

from bench.api.results import Results
from bench.api.runs import run

__all__ = ["Results", "run"]
