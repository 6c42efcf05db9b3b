"""Weights of extractors: a hub's id, a folder or a file -> where they are here, and their digest.

Nothing is downloaded but by `fetch`, so that a run without network waits for nothing.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

from bench.errors import UnavailableError, UsageError

CONFIGURATION = ("config.json", "preprocessor_config.json")
FORMATS = ("*.safetensors", "*.bin")
"""Of several formats of the same weights, the first one is loaded."""


def locate(weights: str) -> Path:
    """Return the folder or file of weights.

    Parameters
    ----------
    weights : str
        A folder, a file, or the id of a checkpoint at the Hugging Face hub, ``@REVISION`` if not the newest.

    Raises
    ------
    UnavailableError
        If the hub's checkpoint has not been fetched.
    UsageError
        If there is no such folder or file, and it can be no id.
    """
    path = Path(weights).expanduser()
    if path.exists():
        return path.absolute()
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(@[\w.-]+)?", weights) or path.suffix == ".pt":
        raise UsageError(f"{weights}: there is no such folder or file, and it is no id of a hub's checkpoint")
    from huggingface_hub.errors import LocalEntryNotFoundError  # optional: it comes with transformers

    try:
        folder = _snapshot(weights, local_files_only=True)
    except LocalEntryNotFoundError as error:
        raise UnavailableError(f"the weights {weights} are not here") from error
    if not _files(folder):
        raise UnavailableError(f"the weights {weights} are here only in part")
    return folder


def missing(weights: str) -> bool:
    """Return whether weights are not here."""
    from huggingface_hub.constants import HF_HUB_CACHE  # the rest of that library takes long to import

    kept = Path(HF_HUB_CACHE) / f"models--{weights.partition('@')[0].replace('/', '--')}"
    if not (kept.exists() or Path(weights).expanduser().exists()):
        return True
    try:
        locate(weights)
    except (UnavailableError, UsageError):
        return True
    return False


def fetch(weights: str) -> Path:
    """Download a hub's checkpoint with progress, unless it is here, and return its folder.

    Raises
    ------
    UsageError
        If the hub does not have it, or cannot be reached.
    """
    try:
        return locate(weights)
    except UnavailableError:
        pass
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    name = weights.partition("@")[0]
    try:
        folder = _snapshot(weights, allow_patterns=[*CONFIGURATION, FORMATS[0]])
        if not _files(folder):  # an older checkpoint
            folder = _snapshot(weights, allow_patterns=[FORMATS[1]])
    except RepositoryNotFoundError as error:
        raise UsageError(f"{name}: the hub has no such checkpoint, or shows it to its owners only") from error
    except (HfHubHTTPError, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise UsageError(f"{name}: the hub cannot be reached ({why}); run the same command again") from error
    return folder


def digest(path: Path) -> str:
    """Return the SHA-256 of all that is loaded from a folder or file of weights.

    Raises
    ------
    UsageError
        If a folder holds no checkpoint.
    """
    files = _files(path) if path.is_dir() else [path]
    if not files:
        expected = f"{CONFIGURATION[0]} and {' or '.join(FORMATS)}"
        raise UsageError(f"{path}: holds no checkpoint; expected {expected}")
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            whole.update(f"{file.name} {hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def _snapshot(weights: str, **options: Any) -> Path:
    """Return the folder in which the hub's library keeps a checkpoint."""
    from huggingface_hub import snapshot_download

    name, _, revision = weights.partition("@")
    return Path(snapshot_download(name, revision=revision or None, **options))


def _files(folder: Path) -> list[Path]:
    """Return the files of a checkpoint; none if its configuration or its weights are not there."""
    weights = next((found for pattern in FORMATS if (found := sorted(folder.glob(pattern)))), [])
    configuration = [folder / name for name in CONFIGURATION if (folder / name).is_file()]
    return configuration + weights if weights and (folder / CONFIGURATION[0]).is_file() else []
