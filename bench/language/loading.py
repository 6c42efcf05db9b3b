"""Loading: a name on the command line -> a language model that remembers its answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.catalog import devices, entrypoints
from bench.catalog.requirements import installation, installed_version
from bench.errors import UnavailableError, UsageError
from bench.files import sha256
from bench.keys import digest
from bench.language.memory import Remembering
from bench.types.retrieval import LanguageModel

FORMS = "a URL such as http://localhost:11434#MODEL, gguf:FILE, hf:FOLDER, or PACKAGE/NAME of a plugin"

LIBRARIES = ("accelerate", "gguf", "llguidance", "torch", "transformers")
"""Distributions that run a model in this process."""


def load(text: str, cache: Path, device: str = "auto") -> LanguageModel:
    """Return the language model that a user names.

    Parameters
    ----------
    text : str
        `FORMS`.
    cache : Path
        Home of the cache, which keeps the answers.
    device : str
        A device of torch, or ``auto``, for a model in this process.

    Raises
    ------
    UsageError
        If there is no such model, or it cannot be loaded.
    UnavailableError
        If its libraries are not installed.
    LanguageModelError
        If the server is not there.
    """
    if "://" in text:
        from bench.language.chat import Chat  # requests takes 0.1 s

        chat = Chat.at(text)
        return Remembering(chat, chat.identity, cache)
    kind, _, path = text.partition(":")
    if kind in {"gguf", "hf"} and path:
        return _local(text, kind, Path(path).expanduser(), cache, device)
    plugin = entrypoints.find("language_models", text)
    if plugin is None:
        names = ", ".join(sorted(entrypoints.installed().get("language_models", {})))
        raise UsageError(
            f"--llm {text}: is not known; expected {FORMS}" + (f"; installed are {names}" if names else "")
        )
    model: LanguageModel = plugin.load()()
    return Remembering(model, {"plugin": plugin.name, "version": plugin.version, "name": model.name}, cache)


def notice(text: str) -> str:
    """Return what leaves this machine, and where it goes, for a model that a user names; '' for nothing.

    Raises
    ------
    UsageError
        If it is no URL of a server.
    """
    if "://" not in text:
        return ""
    from bench.language.requesting import address, is_loopback  # requests takes 0.1 s

    url = address(text)
    if is_loopback(url):
        return ""
    return f"{url} gets texts of the index (captions, transcripts, labels, names, questions), and no audio"


def _local(text: str, kind: str, path: Path, cache: Path, device: str) -> LanguageModel:
    """Return the model in a file of GGUF or in a folder."""
    if kind == "gguf" and not path.is_file():
        raise UsageError(f"--llm {text}: no such file; expected a file of GGUF")
    if kind == "hf" and not path.is_dir():
        raise UsageError(f"--llm {text}: no such folder; expected one that save_pretrained wrote")
    if any(installed_version(name) is None for name in LIBRARIES):
        raise UnavailableError(f"--llm {text}: is not installed; run: {installation('gguf', 'neural')}")
    from bench.language.local import LocalModel  # optional

    device, _ = devices.resolve(device, "fp32")
    folder, gguf = (path.parent, path.name) if kind == "gguf" else (path, None)
    model = LocalModel(f"{kind}:{path.stem if gguf else path.name}", folder, gguf, device)
    return Remembering(
        model, _identity([path] if gguf else sorted(each for each in path.iterdir() if each.is_file())), cache
    )


def _identity(files: list[Path]) -> Mapping[str, Any]:
    """Return what changes the answers of a model in this process besides the question."""
    return {
        "files": digest([[path.name, sha256(path)] for path in files]),
        "versions": {name: installed_version(name) for name in LIBRARIES},
    }
