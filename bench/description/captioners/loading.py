"""Names of captioners: a URL of this machine, a plugin, or a checkpoint of transformers."""

from __future__ import annotations

from bench.catalog import devices, entrypoints
from bench.description import checkpoints
from bench.errors import PluginError, one_line
from bench.types.retrieval import Captioner

PLUGINS = "captioners"
"""Group of entry points, behind ``bench.``."""


def load(name: str, device: str = "auto") -> Captioner:
    """Return the captioner of a name; nothing is downloaded.

    Parameters
    ----------
    name : str
        ``http://localhost:PORT`` with ``#MODEL`` if the server has several, ``DISTRIBUTION/NAME`` of a
        plugin, or a folder or id of the hub.
    device : str
        A device of torch, or ``auto``.

    Raises
    ------
    UsageError
        If there is no such captioner, or it cannot be loaded.
    UnavailableError
        If a package or the checkpoint is not here.
    PluginError
        If a plugin raises.
    LanguageModelError
        If the server is not there.
    """
    if "://" in name:
        from bench.description.captioners.server import ServerCaptioner  # requests takes 0.1 s

        return ServerCaptioner(name)
    plugin = entrypoints.find(PLUGINS, name)
    if plugin:
        try:
            captioner: Captioner = plugin.load()()
        except Exception as error:  # any exception of a plugin
            raise PluginError(f"--caption {name}: {one_line(error)}") from error
        return captioner
    checkpoint = checkpoints.locate(name, "--caption")
    from bench.description.captioners.checkpoint import CheckpointCaptioner  # transformers takes seconds

    return CheckpointCaptioner(checkpoint, devices.resolve(device, "fp32")[0])
