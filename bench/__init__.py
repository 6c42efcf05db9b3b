"""Benchmark audio embeddings and classifiers with splits that cannot leak."""

from typing import TYPE_CHECKING, Any

from bench._version import __version__

if TYPE_CHECKING:
    from bench.api import Results, run

__all__ = ["Results", "__version__", "run"]


def __getattr__(name: str) -> Any:
    """Return `run` and `Results`, which load numerical libraries, when they are asked for."""
    if name in {"Results", "run"}:
        from bench import paths

        paths.redirect_library_caches()  # before numba is imported
        from bench import api

        return getattr(api, name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet."""
    return sorted(__all__)
