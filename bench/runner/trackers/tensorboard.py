"""A run of TensorBoard per cell, with its scores as scalars and in the table of hyperparameters."""

from pathlib import Path

from tensorboardX import SummaryWriter

from bench.runner.trackers import params, values
from bench.types import Result

DEFAULT = "tensorboard"


class Tracker:
    """Writes each result into a folder of its own.

    Parameters
    ----------
    place : str
        The folder of the folders.
    """

    def __init__(self, place: str) -> None:
        self._folder = Path(place or DEFAULT)

    def finished(self, result: Result) -> None:
        """Write a result; one without scores is none for TensorBoard."""
        found = values(result)
        if not found:
            return
        with SummaryWriter(str(self._folder / result.key)) as writer:
            writer.add_hparams(params(result), found, name=".", global_step=0)
