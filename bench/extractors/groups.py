"""Batches of clips that must not differ in length."""

from collections.abc import Callable, Iterable, Sequence

from bench.types import Frames


def by_length(lengths: Sequence[int], embed: Callable[[list[int]], Iterable[Frames]]) -> list[Frames]:
    """Return the frames of every clip, which `embed` makes of the rows of one length at a time."""
    frames: dict[int, Frames] = {}
    for length in sorted(set(lengths)):
        rows = [row for row, own in enumerate(lengths) if own == length]
        frames.update(zip(rows, embed(rows), strict=True))
    return [frames[row] for row in range(len(lengths))]
