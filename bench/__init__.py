"""Benchmark audio embeddings and classifiers with splits that cannot leak."""

from typing import TYPE_CHECKING, Any

from bench._version import __version__

if TYPE_CHECKING:
    from bench.api import (
        LoadedModel,
        OpenedIndex,
        Overview,
        Results,
        explore,
        index,
        load_model,
        open_index,
        run,
    )

__all__ = [
    "LoadedModel",
    "OpenedIndex",
    "Overview",
    "Results",
    "__version__",
    "explore",
    "index",
    "load_model",
    "open_index",
    "run",
]


def __getattr__(name: str) -> Any:
    """Return what loads numerical libraries when it is asked for."""
    if name in {*__all__} - {"__version__"}:
        from bench import paths

        paths.redirect_library_caches()  # before numba is imported
        from bench import api

        return getattr(api, name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet."""
    return sorted(__all__)
