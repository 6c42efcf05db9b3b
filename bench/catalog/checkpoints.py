"""Checkpoints: the files that their loader reads, and what is refused before a loader sees them."""

import math
import re
import struct
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from bench.errors import UsageError, message
from bench.validation import convert

CONFIGURATION = ("config.json", "preprocessor_config.json", "processor_config.json")
"""Files that say what the model is and how clips are normalised; only the first one is required."""

WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""Files of weights, or of the names of their shards; the first one that a checkpoint has is loaded."""

OTHER_WEIGHTS = ("*.safetensors", "*.bin")
"""Patterns of the weights of checkpoints that another loader reads."""

UNSUPPORTED = re.compile(r"adapter_config\.json|shard-\d{5}-model-\d{5}-of-\d{5}\.safetensors")
"""Files that a loader reads in place of `WEIGHTS` or on top of them, with some versions of its libraries."""

Rate = Annotated[int, Meta(ge=1_000, le=1_000_000)]
Layers = Annotated[int, Meta(ge=0, le=1_000)]
Size = Annotated[int, Meta(ge=1, le=65_536)]
Sizes = Annotated[list[Size], Meta(max_length=100)]
Window = Annotated[int, Meta(ge=1, le=8_192)]
Length = Annotated[int, Meta(ge=1, le=10_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=600)]


class ModelConfig(msgspec.Struct, frozen=True):
    """Fields of config.json that decide what a loader reads, runs and needs; a loader checks the others.

    Fields of type None name other files or code to load, which no digest covers.
    """

    model_type: str | None = None
    configuration_files: None = None
    transformers_weights: None = None
    attn_implementation: Literal["eager", "sdpa"] | None = None
    attention: Literal["eager", "sdpa"] | None = msgspec.field(default=None, name="_attn_implementation")
    num_hidden_layers: Layers | None = None
    encoder_layers: Layers | None = None
    decoder_layers: Layers | None = None
    num_feat_extract_layers: Layers | None = None
    num_adapter_layers: Layers | None = None
    hidden_size: Size | None = None
    d_model: Size | None = None
    intermediate_size: Size | None = None
    encoder_ffn_dim: Size | None = None
    decoder_ffn_dim: Size | None = None
    num_attention_heads: Size | list[Size] | None = None
    encoder_attention_heads: Size | None = None
    decoder_attention_heads: Size | None = None
    projection_dim: Size | None = None
    num_conv_pos_embeddings: Size | None = None
    num_conv_pos_embedding_groups: Size | None = None
    conv_dim: Sizes | None = None
    conv_kernel: Sizes | None = None
    conv_stride: Sizes | None = None
    num_mel_bins: Size | None = None
    max_source_positions: Size | None = None
    max_length: Size | None = None
    patch_size: Size | None = None
    time_stride: Size | None = None
    frequency_stride: Size | None = None
    vocab_size: Length | None = None
    audio_config: "ModelConfig | None" = None
    text_config: "ModelConfig | None" = None

    @property
    def n_layers(self) -> int | None:
        """Return the number of hidden states, with the input of the first layer; None if it is not there."""
        depth = self.num_hidden_layers if self.encoder_layers is None else self.encoder_layers
        return None if depth is None else depth + 1

    @property
    def dim(self) -> int | None:
        """Return the number of values of a frame; None if it is not there."""
        if self.model_type == "clap":
            return self.projection_dim
        return self.hidden_size if self.d_model is None else self.d_model


class PreprocessorConfig(msgspec.Struct, frozen=True):
    """Fields of preprocessor_config.json that decide the rate of clips and what a batch needs."""

    sampling_rate: Rate | None = None
    feature_size: Size | None = None
    num_mel_bins: Size | None = None
    n_fft: Window | None = None
    fft_window_size: Window | None = None
    hop_length: Size | None = None
    max_length: Size | None = None
    n_samples: Length | None = None
    nb_max_samples: Length | None = None
    chunk_length: Seconds | None = None
    max_length_s: Seconds | None = None
    padding_value: float | None = None


class ProcessorConfig(msgspec.Struct, frozen=True):
    """Fields of processor_config.json, which may hold the preprocessor's."""

    feature_extractor: PreprocessorConfig | None = None
    audio_processor: PreprocessorConfig | None = None


class Index(msgspec.Struct, frozen=True):
    """Fields of the index of a checkpoint in shards: name of a weight -> file."""

    weight_map: dict[str, str]


class Tensor(msgspec.Struct, frozen=True):
    """A tensor in the header of a file of safetensors; metadata have no shape."""

    shape: list[Annotated[int, Meta(ge=0)]] | None = None


TYPES: dict[str, Any] = dict(
    zip(CONFIGURATION, (ModelConfig, PreprocessorConfig, ProcessorConfig), strict=True)
)


def files(folder: Path) -> list[Path]:
    """Return the files that are loaded from a folder; none if its configuration or weights are missing.

    Raises
    ------
    UsageError
        If the index of the weights is not valid.
    """
    configuration = [folder / name for name in CONFIGURATION if (folder / name).is_file()]
    if not (folder / CONFIGURATION[0]).is_file():
        return []
    weights = next(([folder / name] for name in WEIGHTS if (folder / name).is_file()), [])
    if not weights:
        weights = next((paths for each in OTHER_WEIGHTS if (paths := sorted(folder.glob(each)))), [])
    elif weights[0].suffix == ".json":
        weights += [folder / name for name in sorted(set(_table(weights[0], Index).weight_map.values()))]
    return configuration + weights if weights and all(file.is_file() for file in weights) else []


def n_parameters(folder: Path) -> int | None:
    """Return the number of values in the tensors of a checkpoint; None if they are not in safetensors.

    Raises
    ------
    UsageError
        If a file is damaged.
    """
    shards = [file for file in files(folder) if file.suffix == ".safetensors"]
    return sum(map(_n_values, shards)) if shards else None


def _n_values(path: Path) -> int:
    """Return the number of values in a file of safetensors, by its header."""
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = msgspec.json.decode(file.read(min(size, path.stat().st_size)), type=dict[str, Tensor])
    except (struct.error, msgspec.DecodeError, OSError) as error:
        raise UsageError(f"{path}: no valid safetensors ({message(error)})") from error
    return sum(math.prod(tensor.shape) for tensor in header.values() if tensor.shape is not None)


def check(path: Path) -> None:
    """Refuse a folder or file of weights that no loader should see.

    Raises
    ------
    UsageError
        If the path is no folder or regular file, a configuration is not valid, or the folder has weights that
        no digest covers.
    """
    if not path.is_dir():
        if not path.is_file():
            raise UsageError(f"weights {path}: no regular file; expected a folder or a file of weights")
        return
    for file in sorted(path.iterdir()):
        if UNSUPPORTED.fullmatch(file.name):
            raise UsageError(f"{file}: is not supported; expected the whole weights in {WEIGHTS[0]}")
    for file in files(path):
        if file.name in TYPES:
            _table(file, TYPES[file.name])


def configuration(folder: Path) -> ModelConfig:
    """Return the configuration of a checkpoint.

    Raises
    ------
    UsageError
        If its file is not valid.
    """
    config: ModelConfig = _table(folder / CONFIGURATION[0], ModelConfig)
    return config


def _table(path: Path, noun: Any) -> Any:
    """Return the fields in a JSON file that a type has."""
    try:
        value = msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: no valid JSON ({message(error)})") from error
    return convert(value, noun, str(path))
