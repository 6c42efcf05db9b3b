"""Plugins of installed distributions, as entry points: listed without an import of any of them."""

import functools
import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import PluginError, one_line

GROUP = "bench."
"""Prefix of the groups of entry points; the kind follows."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """An entry point of an installed distribution.

    Parameters
    ----------
    name : str
        ``DISTRIBUTION/NAME``.
    factory : str
        ``module:attribute``.
    distribution, version, about : str
        Name, version and summary of the distribution.
    """

    name: str
    factory: str
    distribution: str
    version: str
    about: str

    @property
    def source(self) -> str:
        """Return the distribution and its version, for messages."""
        return f"{self.distribution} {self.version}"

    def load(self) -> Any:
        """Import and return the attribute.

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
    """Return the installed plugins: kind, such as ``extractors`` -> name -> plugin."""
    plugins: dict[str, dict[str, Plugin]] = {}
    summary = functools.cache(_summary)  # a distribution may have hundreds of entries: read it once
    entries: Any = importlib.metadata.entry_points()
    for group in entries.groups:
        if group.startswith(GROUP):
            of_kind = plugins.setdefault(group.removeprefix(GROUP), {})
            for entry in entries.select(group=group):
                distribution, version, about = summary(entry.dist)
                name = f"{distribution}/{entry.name}"
                of_kind[name] = Plugin(
                    name=name,
                    factory=entry.value,
                    distribution=distribution,
                    version=version,
                    about=about,
                )
    return plugins


def _summary(distribution: importlib.metadata.Distribution) -> tuple[str, str, str]:
    """Return the name, the version and the summary of a distribution."""
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"], str(metadata.json.get("summary", ""))


def find(kind: str, name: str) -> Plugin | None:
    """Return the installed plugin of a name; None if no distribution has it."""
    return installed().get(kind, {}).get(name) if "/" in name else None
