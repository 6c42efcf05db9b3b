"""Executors: this process, processes of this machine, or a Dask cluster."""

from bench.runner.executors.failures import died, error_of, loss
from bench.runner.executors.selection import start
from bench.runner.executors.workers import Workers

__all__ = ["Workers", "died", "error_of", "loss", "start"]
