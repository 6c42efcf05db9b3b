"""Loading of transformers checkpoints: complete, without running their code, with one-line errors."""

import pickle
import warnings
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from safetensors import SafetensorError
from transformers.utils import SAFE_WEIGHTS_NAME, logging

from bench.errors import PluginError

LOCAL = {"local_files_only": True, "trust_remote_code": False}
"""Options of every `from_pretrained`: nothing is downloaded, and no code of a checkpoint runs."""

ZIP_START = b"PK\x03\x04"
"""First bytes of an archive that torch opens as a ZIP file."""

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
            return auto.from_pretrained(checkpoint, **LOCAL)
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
    if not (Path(checkpoint) / SAFE_WEIGHTS_NAME).is_file():
        for file in filter(Path.is_file, Path(checkpoint).rglob("*.bin")):
            check_archive(file)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # absent weights are checked below
    logging.disable_progress_bar()
    try:
        model, report = auto.from_pretrained(
            checkpoint, dtype=torch.float32, output_loading_info=True, weights_only=True, **LOCAL
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


def check_archive(path: Path) -> None:
    """Refuse a ZIP file that is TorchScript, which is code, or that unpacks to more than its size.

    Raises
    ------
    PluginError
        If it is such a file, or damaged.
    """
    with path.open("rb") as file:
        if file.read(len(ZIP_START)) != ZIP_START:
            return
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise load_error(str(path), error) from error
    names = [PurePosixPath(record.filename) for record in records]
    if any(name.name == "constants.pkl" or "code" in name.parts for name in names):
        raise PluginError(
            f"{path}: is TorchScript, which runs code; expected weights, as torch.save writes them"
        )
    if sum(record.file_size for record in records) > path.stat().st_size:
        raise PluginError(
            f"{path}: unpacks to more than its size; expected weights, as torch.save writes them"
        )


def load_error(checkpoint: str, error: Exception) -> PluginError:
    """Return the one-line error of a checkpoint that a library cannot load."""
    return PluginError(f"{checkpoint}: cannot be loaded ({short_message(error)})")


def short_message(error: Exception) -> str:
    """Return the start of an error's message in one line, without torch's advice to load code too."""
    if isinstance(error, pickle.UnpicklingError):
        return "its pickle is damaged or holds more than weights, and weights only are read"
    return " ".join(str(error).split())[:MESSAGE_LENGTH]
