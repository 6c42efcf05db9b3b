"""Wav2Vec2 and HuBERT checkpoints of fairseq (.pt files), read without fairseq and without running code."""

import argparse
import ast
import contextlib
import itertools
import pickle
import pickletools
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import torch
from msgspec import Meta
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from bench.errors import PluginError
from bench.extractors.checkpoint import check_archive, short_message
from bench.extractors.transformer import Transformer
from bench.types import Audio, Frames

WEIGHT_NAMES = (
    (r"feature_extractor\.conv_layers\.(\d+)\.0\.(.*)", r"feature_extractor.conv_layers.\1.conv.\2"),
    (
        r"feature_extractor\.conv_layers\.(\d+)\.2\.(?:1\.)?(.*)",
        r"feature_extractor.conv_layers.\1.layer_norm.\2",
    ),
    (r"layer_norm\.(.*)", r"feature_projection.layer_norm.\1"),
    (r"post_extract_proj\.(.*)", r"feature_projection.projection.\1"),
    (r"encoder\.pos_conv\.0\.bias", r"encoder.pos_conv_embed.conv.bias"),
    (r"encoder\.pos_conv\.0\.weight_g", r"encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
    (r"encoder\.pos_conv\.0\.weight_v", r"encoder.pos_conv_embed.conv.parametrizations.weight.original1"),
    (r"encoder\.layers\.(\d+)\.self_attn\.(.*)", r"encoder.layers.\1.attention.\2"),
    (r"encoder\.layers\.(\d+)\.self_attn_layer_norm\.(.*)", r"encoder.layers.\1.layer_norm.\2"),
    (r"encoder\.layers\.(\d+)\.fc1\.(.*)", r"encoder.layers.\1.feed_forward.intermediate_dense.\2"),
    (r"encoder\.layers\.(\d+)\.fc2\.(.*)", r"encoder.layers.\1.feed_forward.output_dense.\2"),
    (r"encoder\.layers\.(\d+)\.final_layer_norm\.(.*)", r"encoder.layers.\1.final_layer_norm.\2"),
    (r"encoder\.layer_norm\.(.*)", r"encoder.layer_norm.\1"),
    (r"mask_emb", r"masked_spec_embed"),
)
"""Pattern of a weight's name in fairseq -> its name in transformers."""

TRAINING_WEIGHTS = ("quantizer.", "project_q.", "final_proj.", "label_embs_concat", "target_glu.")
"""Starts of the names of weights that are used in training only."""

CONVOLUTIONS = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2"
"""The (size, kernel, stride) of every convolution of the base models, as fairseq writes it."""

NORMS = {"default": "group", "layer_norm": "layer"}
"""Norm of the convolutions: its name in fairseq -> in transformers."""

STAND_INS = re.compile(r"(fairseq|omegaconf|numpy)\b")
"""Modules whose classes and functions become `Inert`: what fairseq keeps beside the weights and settings."""

MAX_CONVOLUTIONS = 100
"""Largest number of convolutions, and of repetitions in a text of them."""

LEGACY_PICKLES = 4
"""Number of pickles at the start of a file that torch before 1.6 wrote; the last one holds the content."""

READ_ERRORS = (
    *(OSError, ValueError, SyntaxError, RuntimeError, EOFError),
    *(pickle.UnpicklingError, msgspec.ValidationError),
)
"""Errors of reading a file that is damaged or not a checkpoint."""


Size = Annotated[int, Meta(ge=1, le=65_536)]


class Inert:
    """A stand-in for a class or function of a pickle: accepts any call and state, and does nothing."""

    def __init__(self, *values: object) -> None: ...
    def __setstate__(self, state: object) -> None: ...


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a model, by their names in fairseq; their defaults are those of the base models."""

    arch: str | None = None
    name: str | None = msgspec.field(default=None, name="_name")
    activation_fn: str = "gelu"
    conv_bias: bool = False
    conv_feature_layers: Annotated[str, Meta(max_length=1000)] = CONVOLUTIONS
    conv_pos: Size = 128
    conv_pos_groups: Size = 16
    encoder_attention_heads: Size = 12
    encoder_embed_dim: Size = 768
    encoder_ffn_embed_dim: Size = 3072
    encoder_layers: Annotated[int, Meta(ge=1, le=1_000)] = 12
    extractor_mode: Literal["default", "layer_norm"] = "default"
    layer_norm_first: bool = False


class Fairseq(Transformer):
    """Every hidden state of a Wav2Vec2 or HuBERT model of fairseq, computed by transformers.

    Parameters
    ----------
    checkpoint : str
        A .pt file; its settings are in `args` (older files) or `cfg`.
    precision, device, runtime : str
        As in `runtimes.prepare`.

    Raises
    ------
    PluginError
        If the file is not such a checkpoint.
    """

    def __init__(
        self, checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
    ) -> None:
        check_archive(Path(checkpoint))
        try:
            model, normalize = _convert(_load(checkpoint))
        except (*READ_ERRORS, LookupError, TypeError, AttributeError) as error:
            raise PluginError(
                f"{checkpoint}: not a Wav2Vec2 or HuBERT checkpoint of fairseq "
                f"({type(error).__name__}: {short_message(error)})"
            ) from error
        self.normalize = normalize
        processor = Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
        self._set_model(model, processor, precision, device, runtime)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_layers + 1, n_frames, dim) per clip; zeros pad short clips."""
        return super().embed([_normalize(clip) for clip in audio] if self.normalize else audio)


def _load(checkpoint: str) -> Any:
    """Return the content of a checkpoint: tensors, numbers, texts and namespaces, read as weights only."""
    names = sorted(name for name in _globals(checkpoint) if STAND_INS.match(name))
    stand_ins = [type(name, (Inert,), {"__module__": module}) for module, name in map(str.split, names)]
    with torch.serialization.safe_globals([argparse.Namespace, *stand_ins]):
        return torch.load(checkpoint, map_location="cpu", weights_only=True)


def _globals(checkpoint: str) -> set[str]:
    """Return the classes and functions that the pickles of a checkpoint name, as ``module name``."""
    with contextlib.ExitStack() as stack:
        if zipfile.is_zipfile(checkpoint):
            archive = stack.enter_context(zipfile.ZipFile(checkpoint))
            record = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            pickles = [stack.enter_context(archive.open(record))]
        else:
            pickles = [stack.enter_context(Path(checkpoint).open("rb"))] * LEGACY_PICKLES
        operations = itertools.chain.from_iterable(map(pickletools.genops, pickles))
        return {str(arg) for operation, arg, _ in operations if operation.name == "GLOBAL"}


def _normalize(clip: Audio) -> Audio:
    """Return a clip with mean 0 and variance 1, with the epsilon that fairseq adds to the variance."""
    return np.asarray((clip - clip.mean()) / np.sqrt(clip.var() + 1e-5), dtype=np.float32)


def _convert(content: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return the model of a checkpoint's content, and whether its clips are normalised."""
    settings, task = _settings(content)
    sizes, kernels, strides = zip(*_convolutions(settings.conv_feature_layers), strict=True)
    hubert = str(settings.name or settings.arch).startswith("hubert")
    config = (HubertConfig if hubert else Wav2Vec2Config)(
        hidden_size=settings.encoder_embed_dim,
        num_hidden_layers=settings.encoder_layers,
        num_attention_heads=settings.encoder_attention_heads,
        intermediate_size=settings.encoder_ffn_embed_dim,
        hidden_act=settings.activation_fn,
        conv_dim=sizes,
        conv_kernel=kernels,
        conv_stride=strides,
        conv_bias=settings.conv_bias,
        feat_extract_norm=NORMS[settings.extractor_mode],
        do_stable_layer_norm=settings.layer_norm_first,
        num_conv_pos_embeddings=settings.conv_pos,
        num_conv_pos_embedding_groups=settings.conv_pos_groups,
    )
    with torch.device("meta"):  # sizes that the weights do not have take no memory
        model = (HubertModel if hubert else Wav2Vec2Model)(config)
    # An unknown or absent weight is an error.
    model.load_state_dict(
        {
            _transformers_name(name): tensor
            for name, tensor in content["model"].items()
            if not name.startswith(TRAINING_WEIGHTS)
        },
        assign=True,
    )
    return model.float(), bool(task.get("normalize", False))


def _settings(content: Mapping[str, Any]) -> tuple[Settings, Mapping[str, Any]]:
    """Return the settings of the model and of its task, from `args` (older files) or `cfg`."""
    cfg = content.get("cfg")
    parts = [content["args"]] * 2 if cfg is None else [cfg["model"], cfg["task"]]
    model, task = (vars(part) if isinstance(part, argparse.Namespace) else part for part in parts)
    return msgspec.convert(model, Settings), task


def _convolutions(text: str) -> list[tuple[Size, Size, Size]]:
    """Return the (size, kernel, stride) of every convolution in a text such as ``[(512, 3, 2)] * 4``."""

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return value(node.left) + value(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            layers, times = value(node.left), value(node.right)
            if len(layers) * times > MAX_CONVOLUTIONS:
                raise ValueError(f"more than {MAX_CONVOLUTIONS} convolutions")
            return layers * times
        return ast.literal_eval(node)

    layers = value(ast.parse(text, mode="eval").body)
    return msgspec.convert(layers, list[tuple[Size, Size, Size]])


def _transformers_name(name: str) -> str:
    """Return the name in transformers of a weight of fairseq."""
    for pattern, replacement in WEIGHT_NAMES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name)
    raise KeyError(f"unknown weight {name}")
