"""Sources: all clips of a data set -> the cache, by one extractor."""

from collections.abc import Collection, Iterator, Mapping

from bench.catalog.learners import Learner
from bench.datasets.index import Source
from bench.embed.cache import Cache
from bench.embed.shards import ProgressFactory, embed_shard, read_embeddings, shards
from bench.types import Frames, Layer, View

FRAME_CLIPS = 256
"""Number of clips whose frames are read at once."""


def embed_source(
    source: Source,
    learner: Learner,
    views: Collection[View],
    cache: Cache,
    progress_of: ProgressFactory,
) -> Mapping[str, str]:
    """Embed the clips that the cache lacks; return clip -> reason of all that cannot be read.

    Raises
    ------
    UnavailableError, PluginError
        If the extractor cannot be built, raises or breaks its contract.
    KeyboardInterrupt
        If the progress callback asks for an end.
    """
    bad: dict[str, str] = {}
    todo, _ = shards(source, learner.spec, learner.digest, cache, views=views)
    progress = progress_of(source, learner.spec.name, sum(len(shard.clips) for shard in todo))
    for shard in todo:
        report = embed_shard(shard, progress)
        bad |= report.bad
        if report.rest:
            raise KeyboardInterrupt
    return source.bad(bad)


def read_frames(cache: Cache, learner: Learner, contents: Collection[str], layer: Layer) -> Iterator[Frames]:
    """Yield the cached frames of clips in their order, each of shape (n_frames, dim), few in memory."""
    order = list(contents)
    view = View(layer=layer, pool="none")
    for start in range(0, len(order), FRAME_CLIPS):
        part = order[start : start + FRAME_CLIPS]
        embeddings = read_embeddings(cache, learner.digest, part, [view])
        for content in part:
            yield embeddings[content].frames[layer]
