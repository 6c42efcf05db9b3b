"""A run of MLflow per cell."""

import re

from mlflow import MlflowClient

from bench import display
from bench.runner.trackers import params, values
from bench.types import Result, Status

EXPERIMENT = "audio-embedding-bench"

UNSAFE = re.compile(r"[^\w\-. /]")
"""What MLflow allows in no name."""


class Tracker:
    """Sends each result as a finished run, whose tags are the cell and whose metrics its scores and costs.

    Parameters
    ----------
    place : str
        The tracking URI, or a folder; empty for MLflow's own settings.
    """

    def __init__(self, place: str) -> None:
        self._client = MlflowClient(tracking_uri=place or None)
        known = self._client.get_experiment_by_name(EXPERIMENT)
        self._experiment = known.experiment_id if known else self._client.create_experiment(EXPERIMENT)

    def finished(self, result: Result) -> None:
        """Send a result."""
        run = self._client.create_run(self._experiment, run_name=display.cell(result)).info.run_id
        for key, value in params(result).items():
            self._client.log_param(run, key, value)
        if result.reason:
            self._client.set_tag(run, "reason", result.reason)
        for key, number in values(result).items():
            self._client.log_metric(run, UNSAFE.sub(" ", key), number)
        self._client.set_terminated(run, "FAILED" if result.status == Status.FAILED else "FINISHED")
