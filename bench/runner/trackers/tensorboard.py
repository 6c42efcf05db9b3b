"""A run of TensorBoard per cell, with its scores as scalars and in the table of hyperparameters."""

from pathlib import Path

from tensorboardX import SummaryWriter

from bench.runner.trackers import metrics, params
from bench.types import Result

FOLDER = "tensorboard"


class Tracker:
    """Writes every result with scores to a separate folder.

    Parameters
    ----------
    folder : str
        Parent of these folders; empty for ``tensorboard``.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder or FOLDER)

    def finished(self, result: Result) -> None:
        """Write the result of a cell, unless it has no scores."""
        numbers = metrics(result)
        if not numbers:
            return
        with SummaryWriter(str(self._folder / result.key)) as writer:
            writer.add_hparams(params(result), numbers, name=".", global_step=0)
