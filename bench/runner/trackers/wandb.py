"""A run of Weights & Biases per cell."""

from bench import display
from bench.runner.trackers import metrics, params
from bench.types import Result

PROJECT = "audio-embedding-bench"

LONGEST_NAME = 128
"""Number of characters that the name of a run may have."""


class Tracker:
    """Sends every result as a finished run: the cell as config, scores and costs as summary.

    Parameters
    ----------
    project : str
        Project of the runs; empty for ``audio-embedding-bench``.
    """

    def __init__(self, project: str) -> None:
        import wandb  # optional, and absent where the other trackers are tested

        self._init = wandb.init
        self._project = project or PROJECT

    def finished(self, result: Result) -> None:
        """Send the result of a cell."""
        name = display.cell(result)[:LONGEST_NAME]
        with self._init(project=self._project, name=name, config=params(result)) as run:
            outcome = {"status": str(result.status), "reason": display.cause(result)}
            run.summary.update({**outcome, **metrics(result)})
