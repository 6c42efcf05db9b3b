"""Checkpoints in formats that no loader here takes: what they are, in one line with the way out."""

from pathlib import Path

from bench.catalog import checkpoints, layer_counts
from bench.catalog.layer_counts import BUILT_IN
from bench.catalog.names import PREFIXES
from bench.errors import UsageError
from bench.types import Spec

FILES = {
    ".onnx": "an ONNX network",
    ".gguf": "a GGUF file of llama.cpp",
    ".ggml": "a ggml file of whisper.cpp",
    ".pt": "a file of torch.save without its configuration",
    ".pth": "a file of torch.save without its configuration",
    ".ckpt": "a file of torch.save without its configuration",
    ".safetensors": "a file of tensors without its configuration",
    ".bin": "a file of tensors without its configuration",
}
"""Suffix of a file -> what it is."""

STARTS = {b"GGUF": FILES[".gguf"], b"lmgg": FILES[".ggml"], b"fmgg": FILES[".ggml"], b"tjgg": FILES[".ggml"]}
"""First bytes of a file -> what it is; those of ggml are its magic number, the lowest byte first."""

CTRANSLATE2 = "model.bin"
"""File of weights in a folder of CTranslate2."""

TAKEN = (
    "taken are folders of save_pretrained with config.json, preprocessor_config.json and model.safetensors "
    "(hf:FOLDER), and Wav2Vec2 or HuBERT files of fairseq (fairseq:FILE.pt); "
    "docs/extractors.md, 'Other formats', says how to convert it"
)


def check(path: Path, spec: Spec) -> None:
    """Refuse weights that the loader of a built-in extractor does not take.

    Raises
    ------
    UsageError
        If the weights are in another format.
    """
    if not spec.factory.startswith(BUILT_IN):  # a plugin may load any format
        return
    kind = _kind_of_fairseq(path) if spec.factory == PREFIXES["fairseq"] else _kind(path)
    if kind:
        raise UsageError(f"{path}: is {kind}; {TAKEN}")


def _kind(path: Path) -> str:
    """Return what a path is in place of a folder of save_pretrained; empty if it is none of `FILES`."""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(4)
        return STARTS.get(start) or FILES.get(path.suffix) or "a file"
    has_weights = any((path / name).is_file() for name in checkpoints.WEIGHTS)
    if (path / CTRANSLATE2).is_file() and not has_weights:
        return "a folder of CTranslate2"
    if has_weights and (path / checkpoints.CONFIGURATION[0]).is_file():  # a missing shard has its own message
        return ""
    return next((f"a folder with {_kind(file)}" for file in sorted(path.iterdir()) if _is_foreign(file)), "")


def _is_foreign(path: Path) -> bool:
    """Return whether a file in a folder without a checkpoint is one of weights."""
    return path.is_file() and path.suffix in FILES


def _kind_of_fairseq(path: Path) -> str:
    """Return what a path is in place of a file of fairseq; empty for such a file or anything else."""
    if path.is_file() and layer_counts.is_bare(path):
        return FILES[".pt"]
    return "" if path.is_file() and path.suffix in {".pt", ".pth", ".ckpt"} else _kind(path)
