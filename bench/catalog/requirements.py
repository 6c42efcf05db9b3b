"""Distributions that specs need: their versions, and the command that installs missing ones."""

import functools
import importlib.metadata
import re

from bench.types import Spec

DISTRIBUTION = "audio-embedding-bench"

version = functools.cache(importlib.metadata.version)
"""Distribution -> version of the code in this process, even if another one was installed since."""


def installed_version(distribution: str) -> str | None:
    """Return the version of a distribution; None if it is not installed."""
    try:
        return version(distribution)
    except importlib.metadata.PackageNotFoundError:  # not cached: it may be installed later
        return None


def missing(spec: Spec) -> str:
    """Return the command that installs the missing requirements of a spec; empty if none is missing."""
    absent = [name for name in spec.requires if installed_version(name) is None]
    if not absent:
        return ""
    extras = {_extra(name) for name in absent}
    if "" in extras:
        return f"pip install {' '.join(absent)}"
    return installation(*extras)


def installation(*extras: str) -> str:
    """Return the command that installs extras of this package.

    Examples
    --------
    >>> installation("neural", "html")
    'pip install "audio-embedding-bench[html,neural]"'
    """
    return f'pip install "{DISTRIBUTION}[{",".join(sorted(extras))}]"'


def _extra(distribution: str) -> str:
    """Return the narrowest extra of this package that installs a distribution; empty if none does."""
    for line in importlib.metadata.requires(DISTRIBUTION) or []:
        requirement = re.match(r"([\w.-]+).*extra == ['\"](\w+)['\"]", line)
        if requirement and requirement[1].lower() == distribution.lower() and requirement[2] != "all":
            return requirement[2]
    return ""
