"""Where things are kept that no folder was named for."""

import os
from pathlib import Path


def home() -> Path:
    """Return the folder for corpora that are made here, and for the cache unless that is a URL."""
    import platformdirs

    asked = os.environ.get("BENCH_CACHE", "")
    folder = asked if asked and "://" not in asked else platformdirs.user_cache_dir("audio-embedding-bench")
    return Path(folder).absolute()


def cache_root() -> str:
    """Return the folder or the URL of the cache, which BENCH_CACHE may say."""
    asked = os.environ.get("BENCH_CACHE", "")
    return asked if "://" in asked else str(home())
