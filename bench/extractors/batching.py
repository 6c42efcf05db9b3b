"""Batches of clips of equal length, for networks whose output padding would change."""

from collections.abc import Callable, Iterable, Sequence

from bench.types import Frames


def embed_equal_lengths(
    lengths: Sequence[int], embed: Callable[[list[int]], Iterable[Frames]]
) -> list[Frames]:
    """Return the frames of every clip, embedded in batches of equal length.

    Parameters
    ----------
    lengths : Sequence[int]
        Length of every clip, in any unit.
    embed : Callable[[list[int]], Iterable[Frames]]
        Returns one array for each of some positions of `lengths`, whose clips have one length.
    """
    frames: dict[int, Frames] = {}
    for batch_length in sorted(set(lengths)):
        positions = [position for position, length in enumerate(lengths) if length == batch_length]
        frames.update(zip(positions, embed(positions), strict=True))
    return [frames[position] for position in range(len(lengths))]
