"""Loading of checkpoints: whole, without running their code, and with errors of one line."""

import pickle
import warnings
from typing import Any

import torch
from safetensors import SafetensorError
from transformers.utils import logging

from bench.errors import PluginError


def preprocessor(auto: Any, checkpoint: str) -> Any:
    """Return what makes a model's input of a clip, from the folder of its checkpoint.

    Raises
    ------
    PluginError
        If the folder does not say how.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of mel filters without a frequency, with which it was trained
            return auto.from_pretrained(checkpoint, local_files_only=True)
    except (OSError, ValueError) as error:
        expected = "expected a preprocessor_config.json as save_pretrained of its feature extractor writes it"
        raise PluginError(f"{checkpoint}: does not say how clips are normalised; {expected}") from error


def loaded(auto: Any, checkpoint: str) -> Any:
    """Return the model of a folder, in fp32.

    Parameters
    ----------
    auto : Any
        A class of transformers with `from_pretrained`.

    Raises
    ------
    PluginError
        If the folder is no checkpoint, its weights are damaged, are not those of the model that its
        configuration describes, or are a pickle of anything but tensors.
    """
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # what it would warn of is checked here
    logging.disable_progress_bar()
    try:
        model, told = auto.from_pretrained(
            checkpoint, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
    except (OSError, ValueError, KeyError, SafetensorError, pickle.UnpicklingError, RuntimeError) as error:
        raise PluginError(f"{checkpoint}: cannot be loaded ({' '.join(str(error).split())[:300]})") from error
    finally:
        logging.set_verbosity(verbosity)
        logging.enable_progress_bar()
    absent = sorted(str(key) for key in told["missing_keys"] if "masked_spec_embed" not in str(key))
    wrong = [*absent, *(str(key) for key in told["mismatched_keys"])]
    if wrong:
        raise PluginError(
            f"{checkpoint}: lacks {len(wrong)} weights of {type(model).__name__}, such as {wrong[0]}, which "
            "would be random"
        )
    return model
