"""Embed clips of a run again, and compare with the embeddings in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench import catalog
from bench.datasets.index import Source
from bench.embed import invariance
from bench.embed.cache import Cache, ClipEmbedding
from bench.embed.engine import embed
from bench.errors import BenchError, shortlist
from bench.runner.world import TRUST, World, inside
from bench.store import RunRecord
from bench.types import Extractor, Spec, Statistics

SAMPLE_CLIPS = 20
"""Number of clips of every dataset and extractor that are embedded again."""

FULL_PRECISION = 1e-3
"""Largest difference in 32 bits, as a share of a layer's norm: other batches change the last bits."""


@dataclass(frozen=True, slots=True)
class EmbeddingCheck:
    """How many embeddings of a dataset by an extractor were computed again.

    Parameters
    ----------
    n_checked, n_cached : int
        Numbers of embeddings that were computed again, and that the cache holds.
    differences : tuple[str, ...]
        A line per difference.
    obstacle : str
        Why none was computed again; empty if some were, or if the cache holds none.
    """

    n_checked: int
    n_cached: int
    differences: tuple[str, ...] = ()
    obstacle: str = ""


def check(world: World, record: RunRecord, cache: Cache, *, deep: bool) -> Iterator[EmbeddingCheck]:
    """Yield the check of every dataset and extractor of a plan whose code has not changed since the run.

    Parameters
    ----------
    deep : bool
        Embed every clip, not a sample of `SAMPLE_CLIPS`.
    """
    now = world.plan
    specs = {(cell.dataset, cell.extractor.name): cell.extractor for cell in now.cells} if now else {}
    for (dataset, name), spec in specs.items():
        if now is None or record.identities.get(name) != now.identities[name]:
            continue
        digest, source = now.digests[name], now.sources[dataset]
        stored = sorted(set(source.contents) & cache.contents(digest))
        title = f"{name} on {dataset}"
        if stored and name not in world.buildable:
            reason = f"its weights are named by the run alone; {TRUST}"
            yield EmbeddingCheck(
                0, len(stored), obstacle=f"embeddings of {title}: not checked, since {reason}"
            )
            continue
        chosen = stored if deep else _sample(stored)
        embeddings = cache.read(digest, chosen)
        try:
            with inside(record):
                differences = tuple(_differences(source, spec, embeddings))
        except (BenchError, OSError) as error:
            yield EmbeddingCheck(0, len(stored), obstacle=f"embeddings of {title}: not checked ({error})")
            continue
        n_damaged = len(chosen) - len(embeddings)
        damage = [f"{n_damaged} of {len(chosen)} cached embeddings are in damaged files"] if n_damaged else []
        lines = tuple(f"{title}: {line}" for line in (*damage, *differences))
        yield EmbeddingCheck(len(embeddings), len(stored), lines)


def _sample(contents: Sequence[str]) -> Sequence[str]:
    """Return some contents, drawn with a fixed seed."""
    rng = np.random.default_rng(0)
    return sorted(rng.choice(contents, min(SAMPLE_CLIPS, len(contents)), replace=False).tolist())


def _differences(source: Source, spec: Spec, embeddings: Mapping[str, ClipEmbedding]) -> Iterator[str]:
    """Yield how cached embeddings differ from those of the audio.

    Raises
    ------
    UnavailableError, PluginError
        If the extractor cannot be built, or raises.
    UsageError
        If a file does not exist any more.
    """
    if not embeddings:
        return
    rows = {content: row for row, content in enumerate(source.contents)}
    clips = source.dataset.clips()
    longest_first = sorted(embeddings, key=lambda content: -source.seconds[rows[content]])
    extractor: Extractor = catalog.build(spec)
    full = spec.params.get("precision", "fp32") == "fp32"
    tolerance = FULL_PRECISION if full else invariance.TOLERANCE
    different: list[str] = []
    for batch in embed({content: clips[rows[content]] for content in longest_first}, spec, extractor):
        yield from (f"{clips[rows[content]].id}: {reason}" for content, reason in batch.errors.items())
        different += [
            clips[rows[content]].id
            for content, embedding in batch.embeddings.items()
            if not _alike(embeddings[content].statistics, embedding.statistics, tolerance)
        ]
    if different:
        n_clips = f"{len(different)} of {len(embeddings)}"
        yield f"embeddings of {n_clips} clips are not those of the audio: {shortlist(different)}"


def _alike(a: Statistics, b: Statistics, tolerance: float) -> bool:
    """Return whether the statistics of every layer differ by no more than a share of their norm."""
    if a.shape != b.shape:
        return False
    norms = [np.linalg.norm(array.reshape(len(array), -1), axis=1) for array in (a, b, a - b)]
    return bool((norms[2] <= tolerance * np.maximum(norms[0], norms[1])).all())
