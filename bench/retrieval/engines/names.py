"""Names of engines: the built-in ones, those of plugins, and which one a number of vectors asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.catalog import entrypoints
from bench.errors import BenchError, PluginError, UsageError, one_line
from bench.retrieval.card import EngineCard
from bench.retrieval.engines.exact import Exact
from bench.retrieval.engines.hnsw import Hnsw
from bench.retrieval.engines.ivf import Ivf
from bench.retrieval.engines.lance import Lance
from bench.types import Embeddings
from bench.types.retrieval import Engine

EXACT = "exact"

BUILT_IN: Mapping[str, Callable[..., Engine]] = {EXACT: Exact, "hnsw": Hnsw, "ivf": Ivf, "lance": Lance}

KIND = "engines"
"""Kind of the plugins: their group of entry points is ``bench.engines``."""

MOST_EXACT = 1_000_000
"""Largest number of vectors that `auto` searches exactly: some tenths of a second a query."""


def names() -> Sequence[str]:
    """Return the names of all engines."""
    return [*BUILT_IN, *entrypoints.installed().get(KIND, {})]


def choose(name: str, n_vectors: int) -> str:
    """Return the name of an engine, which for ``auto`` depends on the number of vectors.

    Parameters
    ----------
    name : str
        Behind a colon, it may say where the engine keeps its vectors.

    Raises
    ------
    UsageError
        If there is no engine of that name.

    Examples
    --------
    >>> choose("auto", 1000), choose("auto", 2_000_000), choose("lance:s3://bucket/index", 1000)
    ('exact', 'ivf', 'lance')
    """
    name, _, _ = name.partition(":")
    if name == "auto":
        return EXACT if n_vectors <= MOST_EXACT else "ivf"
    if name not in names():
        raise UsageError(f"engine '{name}' is unknown; expected one of {', '.join(['auto', *names()])}")
    return name


def declare(card: EngineCard, n_vectors: int) -> EngineCard:
    """Return the engine that a card asks for, with its own name, and with the place behind it as `uri`.

    Raises
    ------
    UsageError
        If there is no engine of that name.
    """
    _, _, uri = card.name.partition(":")
    place = {"uri": uri} if uri else {}
    return EngineCard(name=choose(card.name, n_vectors), parameters={**card.parameters, **place})


def create(card: EngineCard, folder: Path, vectors: Embeddings) -> Engine:
    """Return the engine of a card, with what it saved in its folder.

    Raises
    ------
    BenchError
        If there is no such engine, something that it needs is missing, its files are damaged, or it fails.
    """
    name = choose(card.name, len(vectors))
    plugin = entrypoints.find(KIND, name)
    factory: Callable[..., Engine] = plugin.load() if plugin else BUILT_IN[name]
    try:
        return factory(folder, vectors, **card.parameters)
    except BenchError:
        raise
    except Exception as error:  # a plugin may raise anything
        raise PluginError(f"engine '{name}' cannot be opened: {one_line(error)}") from error
