"""Invariance: an extractor returns the same frames for a clip alone and in a batch."""

from collections.abc import Callable

import numpy as np

from bench.errors import PluginError
from bench.types import Audio, Frames

TOLERANCE = 0.05
"""Largest difference as a share of the norm: half precision stays below it, dropout makes 0.3."""


def check(name: str, before: Audio, after: Audio, batched: Frames, embed: Callable[[Audio], Frames]) -> None:
    """Embed one clip of a batch once more, alone, and compare.

    Parameters
    ----------
    name : str
        The extractor's name.
    before, after : Audio
        The clip before and after its batch was embedded.
    batched : Frames
        What the extractor returned in the batch, as `layers.as_layers` returns it.
    embed : Callable[[Audio], Frames]
        Returns the frames of a clip alone, in the same form.

    Raises
    ------
    PluginError
        If the extractor wrote into the audio, or the frames differ by more than `TOLERANCE`.
    """
    if not np.array_equal(before, after):
        raise PluginError(f"extractor '{name}' changed the audio that it was given; copy it first")
    batched = batched.copy()  # an extractor may write into one array again and again
    alone = embed(before)
    if alone.shape != batched.shape:
        raise PluginError(
            f"extractor '{name}' gave one clip {alone.shape} frames alone, and {batched.shape} in a batch"
        )
    norm = max(np.linalg.norm(alone), np.linalg.norm(batched))
    difference = np.linalg.norm(alone - batched)
    if difference > TOLERANCE * norm:
        raise PluginError(
            f"extractor '{name}' gave one clip two answers, alone and in a batch, {difference / norm:.0%} "
            f"apart; expected at most {TOLERANCE:.0%}"
        )
