"""Networks and their preprocessors from folders of `save_pretrained`: complete, of tensors alone, quietly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers.utils import logging

from bench.errors import UsageError, message

LOCAL = {"local_files_only": True, "trust_remote_code": False}
"""Options of every `from_pretrained`: nothing is downloaded, and no code of a checkpoint runs."""


def load(auto: Any, folder: Path, **options: Any) -> Any:
    """Return the feature extractor, the tokenizer or the configuration of a checkpoint.

    Parameters
    ----------
    auto : Any
        A class of transformers with `from_pretrained`.
    options
        Further ones of `from_pretrained`.

    Raises
    ------
    UsageError
        If the folder has none, or a damaged one.
    """
    try:
        with quiet():
            return auto.from_pretrained(folder, **LOCAL, **options)
    except Exception as error:  # tokenizers raises no other type for a damaged file
        raise UsageError(f"{folder}: {auto.__name__} cannot be loaded ({message(error)[:300]})") from error


def load_network(auto: Any, folder: Path, expected: str, optional: str = "", **options: Any) -> Any:
    """Return the network of a checkpoint, in fp32.

    Parameters
    ----------
    auto : Any
        A class of transformers with `from_pretrained`.
    expected : str
        What the checkpoint should have, for the message.
    optional : str
        Prefix of weights that may be absent, as they are not used.
    options
        Further ones of `from_pretrained`, such as another `dtype`.

    Raises
    ------
    UsageError
        If the weights are damaged, incomplete, or no safetensors.
    """
    options = {"dtype": torch.float32, "use_safetensors": True, **LOCAL, **options}
    try:
        with quiet():
            model, report = auto.from_pretrained(folder, output_loading_info=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise UsageError(f"{folder}: cannot be loaded ({message(error)[:300]})") from error
    names = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
    absent = [name for name in names if not (optional and name.startswith(optional))]
    if absent:
        raise UsageError(
            f"{folder}: lacks {len(absent)} weights, such as {absent[0]}; they would be random: expected "
            f"{expected}"
        )
    return model.eval()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from writing of options that it sets itself, and from showing progress."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
