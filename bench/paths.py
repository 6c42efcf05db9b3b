"""Default folders of corpora and of the cache."""

import os
from pathlib import Path


def home() -> Path:
    """Return the folder for corpora, and for the cache unless BENCH_CACHE is a URL."""
    import platformdirs

    variable = os.environ.get("BENCH_CACHE", "")
    folder = (
        variable
        if variable and "://" not in variable
        else platformdirs.user_cache_dir("audio-embedding-bench")
    )
    return Path(folder).absolute()


def cache_root() -> str:
    """Return the folder or the URL of the cache: BENCH_CACHE, or else the user's cache folder."""
    variable = os.environ.get("BENCH_CACHE", "")
    return variable if "://" in variable else str(home())
