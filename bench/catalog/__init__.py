"""What can run: TOML files and entry points -> specs; specs -> extractors, heads and reducers."""

from bench.catalog.build import build
from bench.catalog.declarations import Registry, card, load, packaged_root, task, toml
from bench.catalog.identity import identity, is_installed, key
from bench.catalog.names import find, resolve, undeclared
from bench.catalog.requirements import missing, version

__all__ = [
    "Registry",
    "build",
    "card",
    "find",
    "identity",
    "is_installed",
    "key",
    "load",
    "missing",
    "packaged_root",
    "resolve",
    "task",
    "toml",
    "undeclared",
    "version",
]
