"""Loading of transformers checkpoints: complete, without running their code, with one-line errors."""

import pickle
import warnings
from typing import Any

import torch
from safetensors import SafetensorError
from transformers.utils import logging

from bench.errors import PluginError

MESSAGE_LENGTH = 300
"""Largest number of characters of a library's message that an error repeats."""


def load_preprocessor(auto: Any, checkpoint: str) -> Any:
    """Return the preprocessor in a checkpoint's folder: clips -> input of the model.

    Parameters
    ----------
    auto : Any
        A class of transformers with `from_pretrained`.

    Raises
    ------
    PluginError
        If the folder has no usable preprocessor_config.json.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about empty mel filters, which the model was trained with
            return auto.from_pretrained(checkpoint, local_files_only=True)
    except (OSError, ValueError) as error:
        raise PluginError(
            f"{checkpoint}: does not say how clips are normalised; expected a preprocessor_config.json, "
            "as save_pretrained of the feature extractor writes it"
        ) from error


def load_model(auto: Any, checkpoint: str) -> Any:
    """Return the model in a checkpoint's folder, in fp32.

    Parameters
    ----------
    auto : Any
        A class of transformers with `from_pretrained`.

    Raises
    ------
    PluginError
        If the folder has no checkpoint, or its weights are damaged, do not fit its configuration, or are a
        pickle with anything but tensors.
    """
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # absent weights are checked below
    logging.disable_progress_bar()
    try:
        model, report = auto.from_pretrained(
            checkpoint, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
    except (OSError, ValueError, KeyError, SafetensorError, pickle.UnpicklingError, RuntimeError) as error:
        raise load_error(checkpoint, error) from error
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    absent = sorted(str(key) for key in report["missing_keys"] if "masked_spec_embed" not in str(key))
    random = [*absent, *(str(key) for key in report["mismatched_keys"])]
    if random:
        raise PluginError(
            f"{checkpoint}: lacks {len(random)} weights of {type(model).__name__}, such as {random[0]}; "
            "they would be random"
        )
    return model


def load_error(checkpoint: str, error: Exception) -> PluginError:
    """Return the one-line error of a checkpoint that a library cannot load."""
    return PluginError(f"{checkpoint}: cannot be loaded ({short_message(error)})")


def short_message(error: Exception) -> str:
    """Return the start of an error's message in one line."""
    return " ".join(str(error).split())[:MESSAGE_LENGTH]
