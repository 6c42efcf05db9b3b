"""What installed distributions bring, as entry points: listed without importing any of it."""

import functools
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import PluginError, one_line

GROUP = "bench."
"""Before the kind, in the name of a group of entry points."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point.

    Parameters
    ----------
    name : str
        ``DISTRIBUTION/NAME``.
    factory : str
        ``module:attribute``.
    about : str
        The distribution's summary.
    """

    name: str
    factory: str
    distribution: str
    version: str
    about: str

    @property
    def source(self) -> str:
        """Return where it comes from, for messages."""
        return f"{self.distribution} {self.version}"

    def load(self) -> Any:
        """Return the attribute itself.

        Raises
        ------
        PluginError
            If it cannot be imported.
        """
        point = importlib.metadata.EntryPoint(self.name, self.factory, "")
        try:
            return point.load()
        except (Exception, SystemExit) as error:
            raise PluginError(f"{self.source}: '{self.name}': {one_line(error)}") from error


def installed() -> Mapping[str, Mapping[str, Plugin]]:
    """Return what is installed: kind, such as ``extractors`` -> name -> plugin."""
    found: dict[str, dict[str, Plugin]] = {}
    facts = functools.cache(_facts)  # of hundreds of entries in one distribution, they are read once
    entries: Any = importlib.metadata.entry_points()
    for group in entries.groups:
        if group.startswith(GROUP):
            for entry in entries.select(group=group):
                distribution, version, about = facts(entry.dist)
                name = f"{distribution}/{entry.name}"
                kind = found.setdefault(group.removeprefix(GROUP), {})
                kind[name] = Plugin(name, entry.value, distribution, version, about)
    return found


def _facts(distribution: importlib.metadata.Distribution) -> tuple[str, str, str]:
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"], str(metadata.json.get("summary", ""))


def find(kind: str, name: str) -> Plugin | None:
    """Return the plugin of a name, if it is that of one and it is installed."""
    return installed().get(kind, {}).get(name) if "/" in name else None
