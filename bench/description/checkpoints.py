"""Checkpoints of transformers on this machine: their folder, their name, and what is loaded from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import catalog
from bench.catalog import weights
from bench.catalog.names import portable
from bench.errors import UnavailableError, UsageError, message
from bench.keys import digest
from bench.types import Spec

PREFIX = "hf:"
"""Of a name; it may be left out."""

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

    def part(self, loader: Any, **options: Any) -> Any:
        """Return what a class of transformers loads from the folder: no code, and nothing of the network.

        Raises
        ------
        UsageError
            If it cannot be loaded, or lacks weights, which would be random.
        """
        is_model = hasattr(loader, "from_config") or hasattr(loader, "base_model_prefix")
        if is_model:
            options |= {"use_safetensors": True, "output_loading_info": True}
        try:
            with quiet():
                part = loader.from_pretrained(
                    self.folder, local_files_only=True, trust_remote_code=False, **options
                )
        except Exception as error:  # libraries raise any type for a damaged file
            raise UsageError(
                f"{self.folder}: {loader.__name__} cannot be loaded ({message(error)[:300]}); expected what "
                "save_pretrained of the model and of its processor writes"
            ) from error
        if not is_model:
            return part
        model, report = part
        absent = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
        if absent:
            raise UsageError(
                f"{self.folder}: lacks {len(absent)} weights of {type(model).__name__}, such as {absent[0]}; "
                "they would be random: expected a whole checkpoint"
            )
        return model.eval()


def versioned(name: str, *parts: object) -> str:
    """Return a name that changes with parts.

    Examples
    --------
    >>> versioned("clap", ["rain", "dog"])
    'clap#ac32d7cd'
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


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from writing of options that it sets itself, and from showing progress."""
    from transformers.utils import logging  # takes a second to import

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
