"""Sources: all clips of a data set -> the cache, by one extractor."""

from collections.abc import Collection, Mapping, Sequence
from typing import overload

from bench.augment import Changes
from bench.catalog.learners import Learner
from bench.datasets.index import Source
from bench.embed.cache import Cache
from bench.embed.shards import ProgressFactory, embed_shard, read_embeddings, shards
from bench.types import UNPOOLED, Frames, Layer, View

FRAME_CLIPS = 256
"""Number of clips whose frames are read at once."""


def embed_source(  # what embedding depends on, from five rooms
    source: Source,
    learner: Learner,
    views: Collection[View],
    cache: Cache,
    progress_of: ProgressFactory,
    changes: Changes = (),
) -> Mapping[str, str]:
    """Embed the clips and copies that the cache lacks; return content -> reason of all that cannot be read.

    Raises
    ------
    UnavailableError, PluginError
        If the extractor cannot be built, raises or breaks its contract.
    KeyboardInterrupt
        If the progress callback asks for an end.
    """
    bad: dict[str, str] = {}
    todo, _ = shards(source, learner.spec, learner.digest, cache, changes, views)
    progress = progress_of(source, learner.spec.name, sum(len(shard.clips) for shard in todo))
    for shard in todo:
        report = embed_shard(shard, progress)
        bad |= report.bad
        if report.rest:
            raise KeyboardInterrupt
    return bad


class CachedFrames(Sequence[Frames]):
    """The frames of clips in the cache, shape=(n_frames, dim) each, of which few are in memory.

    Parameters
    ----------
    contents : Sequence[str]
        Digest of every clip's content.
    layer : Layer
        A layer whose frames are cached.
    """

    def __init__(self, cache: Cache, learner: Learner, contents: Sequence[str], layer: Layer) -> None:
        self._cache = cache
        self._learner = learner
        self._contents = contents
        self._layer = layer
        self._part: tuple[int, Sequence[Frames]] = (-1, ())

    def __len__(self) -> int:
        return len(self._contents)

    @overload
    def __getitem__(self, row: int) -> Frames: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[Frames]: ...

    def __getitem__(self, row: int | slice) -> Frames | Sequence[Frames]:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(row)  # ends a loop
        part, place = divmod(row % len(self), FRAME_CLIPS)
        if part != self._part[0]:
            contents = self._contents[part * FRAME_CLIPS :][:FRAME_CLIPS]
            view = View(layer=self._layer, pool=UNPOOLED)
            embeddings = read_embeddings(self._cache, self._learner.digest, contents, [view])
            self._part = (part, [embeddings[content].frames[self._layer] for content in contents])
        return self._part[1][place]
