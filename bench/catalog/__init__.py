"""What can be run: declarations and entry points -> specs, and specs -> extractors, heads and reducers."""

from bench.catalog.declarations import (
    Registry,
    build,
    card,
    find,
    identity,
    is_installed,
    key,
    load,
    missing,
    packaged_root,
    resolve,
    task,
    toml,
    undeclared,
    version,
)

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
