"""Weights of extractors: an id of the Hugging Face hub, a folder or a file -> their path and digest.

Only `fetch` downloads, so that a run does not wait for a network.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from bench.catalog import checkpoints, formats, standins
from bench.errors import UnavailableError, UsageError, message
from bench.files import sha256
from bench.types import Spec

SAFETENSORS = ("*.safetensors", "*.safetensors.index.json")
PICKLES = ("*.bin", "*.bin.index.json")
"""Patterns of files at the hub."""

TOKENIZER = "tokenizer.json"

TEXT = ("generation_config.json", TOKENIZER)
"""Files besides the weights with which a Whisper writes text; an extractor loads none of them."""

SENTENCES = (
    *("tokenizer_config.json", "special_tokens_map.json", "vocab.txt"),
    *("modules.json", "sentence_bert_config.json", "1_Pooling/config.json"),
)
"""Files besides the weights and the tokenizer with which a sentence encoder reads text."""

TEXT_OF_TYPES = {"whisper": TEXT, "clap": (TOKENIZER,)}
"""Model type -> files with which it writes or reads text."""


def locate(weights: str) -> Path:
    """Return the path of weights on this machine.

    Parameters
    ----------
    weights : str
        A folder, a file, or the id of a checkpoint at the Hugging Face hub, with ``@REVISION`` unless it is
        the newest.

    Raises
    ------
    UnavailableError
        If a checkpoint of the hub was not fetched.
    UsageError
        If the text is neither an existing path nor an id, or `checkpoints.check` refuses the weights.
    """
    path = Path(weights).expanduser()
    if path.exists():
        checkpoints.check(path)
        return path.absolute()
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(@[\w.-]+)?", weights) or path.suffix == ".pt":
        raise UsageError(f"weights {weights}: no such folder or file; expected a path, or an id of the hub")
    stand_in = standins.path(weights)
    if stand_in.exists():
        checkpoints.check(stand_in)
        return stand_in
    from huggingface_hub.errors import LocalEntryNotFoundError  # optional: it comes with transformers

    try:
        folder = _snapshot(weights, local_files_only=True)
    except LocalEntryNotFoundError as error:
        raise UnavailableError(f"the weights {weights} are not here") from error
    if not checkpoints.files(folder):
        raise UnavailableError(f"the weights {weights} are incomplete")
    checkpoints.check(folder)
    return folder


def of_extractor(spec: Spec) -> Path:
    """Return the path of an extractor's weights, as `locate` does.

    Raises
    ------
    UnavailableError, UsageError
        As in `locate`; also if its loader does not take their format.
    """
    path = locate(spec.weights)
    formats.check(path, spec)
    return path


def missing(weights: str) -> bool:
    """Return whether weights are not on this machine."""
    from huggingface_hub.constants import HF_HUB_CACHE  # the rest of that library takes long to import

    folder = Path(HF_HUB_CACHE) / f"models--{weights.partition('@')[0].replace('/', '--')}"
    if not (folder.exists() or standins.path(weights).exists() or Path(weights).expanduser().exists()):
        return True
    try:
        locate(weights)
    except (UnavailableError, UsageError):
        return True
    return False


def fetch(weights: str) -> Path:
    """Download a checkpoint of the hub with a progress bar, unless it is here, and return its folder.

    Raises
    ------
    UsageError
        If the hub does not have the checkpoint, or cannot be reached.
    """
    try:
        folder = locate(weights)
        if not _lacks_text(folder):
            return folder
    except UnavailableError:
        pass
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    name = weights.partition("@")[0]
    try:
        patterns = [*checkpoints.CONFIGURATION, *SAFETENSORS, *TEXT, *SENTENCES]
        folder = _snapshot(weights, allow_patterns=patterns)
        if not checkpoints.files(folder):  # an older checkpoint
            folder = _snapshot(weights, allow_patterns=PICKLES)
    except RepositoryNotFoundError as error:
        raise UsageError(f"{name}: the hub has no such checkpoint, or it is private") from error
    except (HfHubHTTPError, OSError) as error:
        why = message(error)[:200]
        raise UsageError(f"{name}: the hub cannot be reached ({why}); run the same command again") from error
    return folder


def _lacks_text(folder: Path) -> bool:
    """Return whether a folder of the hub's cache, which an earlier release got, lacks `TEXT_OF_TYPES`."""
    if folder.parent.name != "snapshots":
        return False
    names = TEXT_OF_TYPES.get(checkpoints.configuration(folder).model_type or "", ())
    return not all((folder / name).is_file() for name in names)


def digest(path: Path) -> str:
    """Return the SHA-256 of all files that are loaded from a folder or file of weights.

    Raises
    ------
    UsageError
        If a folder has no checkpoint, or a file cannot be read.
    """
    files = checkpoints.files(path) if path.is_dir() else [path]
    if not files:
        expected = (
            f"{checkpoints.CONFIGURATION[0]} and {' or '.join(checkpoints.OTHER_WEIGHTS)}, with every shard"
        )
        raise UsageError(f"{path}: no checkpoint; expected {expected}")
    names = [file.relative_to(path).as_posix() if path.is_dir() else file.name for file in files]
    lines = (f"{name} {sha256(file)}\n" for name, file in zip(names, files, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _snapshot(weights: str, **options: Any) -> Path:
    """Return the folder of a checkpoint in the hub's cache."""
    from huggingface_hub import snapshot_download

    name, _, revision = weights.partition("@")
    return Path(snapshot_download(name, revision=revision or None, **options))
