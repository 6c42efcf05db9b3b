"""A run of Weights & Biases per cell."""

from bench import display
from bench.runner.trackers import params, values
from bench.types import Result

DEFAULT = "audio-embedding-bench"


class Tracker:
    """Sends each result as a finished run, whose config is the cell and whose summary its scores and costs.

    Parameters
    ----------
    place : str
        The project.
    """

    def __init__(self, place: str) -> None:
        import wandb  # optional, and absent where the other trackers are tested

        self._init = wandb.init
        self._project = place or DEFAULT

    def finished(self, result: Result) -> None:
        """Send a result."""
        with self._init(project=self._project, name=display.cell(result), config=params(result)) as run:
            run.summary.update({"status": str(result.status), "reason": result.reason, **values(result)})
