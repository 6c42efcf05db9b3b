"""A run of MLflow per cell."""

import os
import re

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # of its makers; read when mlflow is imported

from mlflow import MlflowClient

from bench import display
from bench.runner.trackers import metrics, params
from bench.types import Result, Status

EXPERIMENT = "audio-embedding-bench"

UNSAFE = re.compile(r"[^\w\-. /]")
"""Characters that MLflow refuses in the name of a metric."""


class Tracker:
    """Sends every result as a finished run: the cell as parameters, scores and costs as metrics.

    Parameters
    ----------
    uri : str
        The tracking URI, or a folder; empty for the settings of MLflow.
    """

    def __init__(self, uri: str) -> None:
        self._client = MlflowClient(tracking_uri=uri or None)
        experiment = self._client.get_experiment_by_name(EXPERIMENT)
        self._experiment = (
            experiment.experiment_id if experiment else self._client.create_experiment(EXPERIMENT)
        )

    def finished(self, result: Result) -> None:
        """Send the result of a cell."""
        run = self._client.create_run(self._experiment, run_name=display.cell(result)).info.run_id
        for name, value in params(result).items():
            self._client.log_param(run, name, value)
        if cause := display.cause(result):
            self._client.set_tag(run, "reason", cause)
        for name, number in metrics(result).items():
            self._client.log_metric(run, UNSAFE.sub(" ", name), number)
        self._client.set_terminated(run, "FAILED" if result.status == Status.FAILED else "FINISHED")
