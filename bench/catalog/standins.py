"""Folders on this machine that stand for checkpoints of the hub: links in the cache, by id."""

from pathlib import Path

from bench import files
from bench.catalog import checkpoints, layer_counts
from bench.errors import UsageError
from bench.paths import home
from bench.types import Checkpoint

TOLERANCE = 0.1
"""Largest difference of the number of parameters from the published one, as a share of it."""


def path(weights: str) -> Path:
    """Return where the stand-in of an id is, if there is one."""
    return home() / "weights" / weights.replace("/", "--")


def add(checkpoint: Checkpoint, folder: Path) -> Path:
    """Let a folder stand for a checkpoint of the hub, and return the link to it.

    Raises
    ------
    UsageError
        If the folder has no checkpoint, or one of another architecture or size.
    """
    config, n_parameters = checkpoints.configuration(folder), checkpoints.n_parameters(folder)
    depth = layer_counts.of_checkpoint(folder)
    expected = {
        "model_type": (config.model_type, checkpoint.model_type),
        "the number of layers": (None if depth is None else depth - 1, checkpoint.layers),
        "the width": (config.dim, checkpoint.dim),
    }
    for fact, (value, published) in expected.items():
        if checkpoint.model_type and value != published:
            raise UsageError(f"{folder}: {fact} is {value}; expected {published}, as {checkpoint.name} has")
    if n_parameters and abs(n_parameters - checkpoint.parameters) > TOLERANCE * checkpoint.parameters:
        raise UsageError(
            f"{folder}: has {n_parameters:,} parameters; expected about {checkpoint.parameters:,}, as "
            f"{checkpoint.name} has"
        )
    link = path(checkpoint.name)
    files.link(link, folder)
    return link
