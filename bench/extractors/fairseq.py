"""Wav2Vec2 and HuBERT checkpoints of fairseq (.pt files), read without fairseq and without running code."""

import argparse
import ast
import collections
import pickle
import re
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from bench.errors import PluginError
from bench.extractors.checkpoint import short_message
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

SAFE_GLOBALS = {
    ("argparse", "Namespace"): argparse.Namespace,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
}
"""Functions and classes that a checkpoint's pickle may call; torch reads the storages itself."""

READ_ERRORS = (OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError)
"""Errors of reading a file that is damaged or not a checkpoint."""


class Inert:
    """A stand-in for every other class or function of a pickle: accepts any call and does nothing."""

    def __init__(self, *values: object, **options: object) -> None: ...
    def __setstate__(self, state: object) -> None: ...
    def __setitem__(self, key: object, value: object) -> None: ...
    def append(self, value: object) -> None:
        """Ignore an item of a list."""

    def extend(self, values: object) -> None:
        """Ignore the items of a list."""


class SafeUnpickler(pickle.Unpickler):
    """Reads tensors, numbers, strings and namespaces; any other class or function becomes `Inert`."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the class or function that a pickle refers to, or `Inert`."""
        tensor_types = (torch.dtype, torch.storage._LegacyStorageMeta)
        if module == "torch" and isinstance(getattr(torch, name, None), tensor_types):
            return getattr(torch, name)
        return SAFE_GLOBALS.get((module, name), Inert)


def _load(file: Any, **options: Any) -> Any:
    return SafeUnpickler(file, **options).load()


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
        pickling = SimpleNamespace(Unpickler=SafeUnpickler, load=_load, __name__="pickle")
        try:
            content = torch.load(checkpoint, map_location="cpu", pickle_module=pickling, weights_only=False)
            model, normalize = _convert(content)
        except (*READ_ERRORS, KeyError, TypeError, AttributeError) as error:
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


def _normalize(clip: Audio) -> Audio:
    """Return a clip with mean 0 and variance 1, with the epsilon that fairseq adds to the variance."""
    return np.asarray((clip - clip.mean()) / np.sqrt(clip.var() + 1e-5), dtype=np.float32)


def _convert(content: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return the model of a checkpoint's content, and whether its clips are normalised."""
    settings, task = _settings(content)
    layers = _convolutions(settings.get("conv_feature_layers", CONVOLUTIONS))
    sizes, kernels, strides = zip(*layers, strict=True)
    hubert = str(settings.get("_name") or settings.get("arch")).startswith("hubert")
    config = (HubertConfig if hubert else Wav2Vec2Config)(
        hidden_size=settings.get("encoder_embed_dim", 768),
        num_hidden_layers=settings.get("encoder_layers", 12),
        num_attention_heads=settings.get("encoder_attention_heads", 12),
        intermediate_size=settings.get("encoder_ffn_embed_dim", 3072),
        hidden_act=settings.get("activation_fn", "gelu"),
        conv_dim=sizes,
        conv_kernel=kernels,
        conv_stride=strides,
        conv_bias=settings.get("conv_bias", False),
        feat_extract_norm=NORMS[settings.get("extractor_mode", "default")],
        do_stable_layer_norm=settings.get("layer_norm_first", False),
        num_conv_pos_embeddings=settings.get("conv_pos", 128),
        num_conv_pos_embedding_groups=settings.get("conv_pos_groups", 16),
    )
    model = (HubertModel if hubert else Wav2Vec2Model)(config)
    # An unknown or absent weight is an error.
    model.load_state_dict(
        {
            _transformers_name(name): tensor
            for name, tensor in content["model"].items()
            if not name.startswith(TRAINING_WEIGHTS)
        }
    )
    return model, bool(task.get("normalize", False))


def _settings(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the settings of the model and of its task, from `args` (older files) or `cfg`."""
    cfg = content.get("cfg")
    parts = [content["args"]] * 2 if cfg is None else [cfg["model"], cfg["task"]]
    return [vars(part) if isinstance(part, argparse.Namespace) else part for part in parts]


def _convolutions(text: str) -> Sequence[tuple[int, int, int]]:
    """Return the (size, kernel, stride) of every convolution in a text such as ``[(512, 3, 2)] * 4``."""

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return value(node.left) + value(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return value(node.left) * value(node.right)
        return ast.literal_eval(node)

    layers: Sequence[tuple[int, int, int]] = value(ast.parse(text, mode="eval").body)
    return layers


def _transformers_name(name: str) -> str:
    """Return the name in transformers of a weight of fairseq."""
    for pattern, replacement in WEIGHT_NAMES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name)
    raise KeyError(f"unknown weight {name}")
