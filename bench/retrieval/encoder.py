"""Encoder: the extractor of an index as it is on this machine, and the vectors that it computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench import catalog, display
from bench.catalog import Registry, checkpoints, learners, names
from bench.catalog.learners import Learner
from bench.embed import pooling
from bench.embed.cache import Cache
from bench.embed.decoding import decode
from bench.embed.engine import embed_audio
from bench.embed.shards import read_embeddings
from bench.errors import ClipError, UsageError
from bench.keys import digest
from bench.request import Request
from bench.retrieval.index import Index
from bench.types import UNPOOLED, Clip, Embeddings, Extractor, Spec, View

CLAP = "clap"
"""Type of the models whose embeddings texts share."""

DEFAULT = "mfcc"
"""Extractor of an index where the user names none."""

ELSEWHERE = frozenset({"versions", "audio"})
"""Parts of an identity that another machine may have otherwise: libraries differ in the last bits."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """An extractor and the view of it that the vectors of an index are."""

    learner: Learner
    view: View

    @property
    def name(self) -> str:
        """Return the extractor with its view."""
        return display.extractor(self.learner.spec.name, self.view)

    @property
    def identity(self) -> str:
        """Return the digest of what changes the vectors by more than the last bits."""
        identity: Mapping[str, Any] = msgspec.to_builtins(self.learner.identity)
        return digest({name: value for name, value in identity.items() if name not in ELSEWHERE})

    @property
    def checkpoint(self) -> Path | None:
        """Return the folder or the file of the extractor's weights; None for one without weights."""
        place = self.learner.spec.params.get("checkpoint")
        return Path(str(place)) if place else None

    @property
    def is_joint(self) -> bool:
        """Return whether texts have vectors in the same space: those of CLAP, pooled as they are."""
        folder = self.checkpoint
        return (
            folder is not None
            and (folder / checkpoints.CONFIGURATION[0]).is_file()
            and checkpoints.configuration(folder).model_type == CLAP
            and self.view.pool == "mean"
        )

    def cached(self, contents: Sequence[str], cache: Cache) -> Embeddings:
        """Return the vectors of contents that the cache holds, shape=(n_contents, dim)."""
        embeddings = read_embeddings(cache, self.learner.digest, contents, [self.view])
        return pooling.select([embeddings[content].statistics for content in contents], self.view)

    def vectors(self, clips: Sequence[Clip]) -> Embeddings:
        """Return the vectors of clips, shape=(n_clips, dim), without the cache.

        Raises
        ------
        ClipError
            If a clip cannot be read.
        """
        extractor: Extractor = catalog.build(self.learner.spec)
        todo = {f"{row:x}": clip for row, clip in enumerate(clips)}
        samples = decode(todo, self.learner.spec, extractor.sample_rate, ())
        results = dict(embed_audio(samples, self.learner.spec, extractor))
        statistics = []
        for key, clip in todo.items():
            result = results[key]
            if isinstance(result, str):
                raise ClipError(f"{clip.path}: {result.removeprefix(f'{clip.path}: ')}")
            statistics.append(result.statistics)
        return np.asarray(pooling.select(statistics, self.view))


def encoder_of(request: Request, declared: Registry) -> Encoder:
    """Return the encoder of a request.

    Raises
    ------
    UsageError
        If it names several extractors or layers, one that cannot run here, or a view without vectors.
    """
    texts = request.extractors or (DEFAULT,)
    points = learners.extractors(replace(request, extractors=texts), declared, pooling.parse)
    if len(points) > 1:
        spaces = ", ".join(display.extractor(learner.spec.name, view) for learner, view in points)
        raise UsageError(
            f"--extractors {','.join(texts)}: is {spaces}; an index has the vectors of one extractor and "
            "layer: name one, such as NAME@layer=3"
        )
    [(learner, view)] = points
    if learner.obstacle:
        raise UsageError(display.cell_obstacle(learner.obstacle.why))
    if view.layer in {"best", "all"} or view.pool == UNPOOLED:
        expected = "expected @layer=N|last|mean and a pooling"
        raise UsageError(f"{display.extractor(learner.spec.name, view)}: has no vector per clip; {expected}")
    # With the standard deviation too, which is the default, a vector of a CLAP is in no space of texts.
    joint = Encoder(learner, replace(view, pool="mean"))
    return joint if joint.is_joint and "pool=" not in texts[0] else Encoder(learner, view)


def encoder_of_index(index: Index, request: Request, declared: Registry, weights: str = "") -> Encoder:
    """Return the encoder that an index was made with.

    Parameters
    ----------
    request : Request
        Its device counts.
    weights : str
        Folder or file of the extractor's weights; empty for where they were.

    Raises
    ------
    UsageError
        If it is code without an entry, is not here, or computes other vectors than those in the index.
    """
    folder, card = index.path, index.card
    name = card.extractor
    if names.is_code(name, declared.extractors):
        raise UsageError(
            f"{folder}: its card names the code of an extractor, '{name}', which may be anybody's; declare "
            "it in registry/extractors.toml, and build the index by that name"
        )
    request = replace(request, precision=card.precision, runtime=card.runtime)
    spec = Spec("extractor", name, "", preprocess=card.preprocess)
    try:
        learner = learners.extractor(spec, request, declared, weights or card.weights)
    except UsageError as error:
        fix = "work in the folder whose registry declares it, or name its weights by --weights"
        raise UsageError(f"{folder}: its extractor is not here ({error}); {fix}") from error
    if learner.obstacle:
        raise UsageError(f"{folder}: {display.cell_obstacle(learner.obstacle.why)}")
    encoder = Encoder(learner, card.view)
    if encoder.identity != card.identity:
        raise UsageError(
            f"{folder}: extractor '{name}' here is another one than the index was made with; expected the "
            "same weights and code, see --weights"
        )
    return encoder
