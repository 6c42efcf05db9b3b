"""Checkpoints of transformers on this machine: their folder and their name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import catalog
from bench.catalog import weights
from bench.catalog.names import portable
from bench.errors import UnavailableError, UsageError
from bench.keys import digest
from bench.types import Spec

PREFIX = "hf:"
"""Of a name; it may be left out."""

WHOLE = "what save_pretrained of the model and of its processor writes"
"""What is expected of a folder."""

DIGITS = 8
"""Digits of a digest in a name: enough to tell the checkpoints of one name apart."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint in the format of `save_pretrained`.

    Parameters
    ----------
    name : str
        Without the folders above it.
    folder : Path
    digest : str
        SHA-256 of its weights and configuration.
    """

    name: str
    folder: Path
    digest: str

    def named(self, *parts: object) -> str:
        """Return a name that changes with the weights and with parts, which JSON can hold."""
        return versioned(self.name, self.digest, *parts)


def versioned(name: str, *parts: object) -> str:
    """Return a name that changes with parts.

    Examples
    --------
    >>> versioned("clap", ["rain", "dog"])
    'clap#a55f3a9e'
    """
    return f"{name}#{digest(list(parts))[:DIGITS]}"


def locate(name: str, option: str) -> Checkpoint:
    """Return the checkpoint of a name.

    Parameters
    ----------
    name : str
        A folder, or an id of the hub that was fetched, with ``hf:`` before it or without.
    option : str
        For messages.

    Raises
    ------
    UnavailableError
        If torch or transformers is not installed, or the checkpoint was not fetched.
    UsageError
        If there is no such folder, or it holds no checkpoint.
    """
    command = catalog.missing(Spec("extractor", name, "", requires=("torch", "transformers")))
    if command:
        raise UnavailableError(f"{option} {name}: needs torch and transformers; run: {command}")
    text = name.removeprefix(PREFIX)
    try:
        folder = weights.locate(text)
    except UnavailableError as error:
        raise UnavailableError(f"{option} {name}: {error}; run: bench fetch {PREFIX}{text}") from error
    if not folder.is_dir():
        raise UsageError(f"{option} {name}: is a file; expected a folder of save_pretrained")
    return Checkpoint(portable(str(folder)) if Path(text).is_dir() else text, folder, weights.digest(folder))
