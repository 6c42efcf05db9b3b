"""Checkpoints of fairseq: Wav2Vec2 and HuBERT in .pt files, read without fairseq and without their code."""

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
from bench.extractors.transformer import Transformer
from bench.types import Audio, Frames

RENAMED = (
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
"""What fairseq calls a weight -> what transformers calls it."""

TRAINING = ("quantizer.", "project_q.", "final_proj.", "label_embs_concat", "target_glu.")
"""Weights that only the training has a use for."""

CONVOLUTIONS = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2"
"""The (size, kernel, stride) of every convolution of the base models."""

NORMS = {"default": "group", "layer_norm": "layer"}

HARMLESS = {
    ("argparse", "Namespace"): argparse.Namespace,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
}
"""What a checkpoint's pickle may call; torch itself reads the storages."""

DAMAGED = (OSError, ValueError, RuntimeError, EOFError, pickle.UnpicklingError)
"""What reading a file that is no checkpoint, or half of one, raises."""


class Inert:
    """Stands for whatever else a pickle names: takes everything and does nothing."""

    def __init__(self, *values: object, **options: object) -> None: ...
    def __setstate__(self, state: object) -> None: ...
    def __setitem__(self, key: object, value: object) -> None: ...
    def append(self, value: object) -> None:
        """Take a value of what is a list."""

    def extend(self, values: object) -> None:
        """Take the values of what is a list."""


class Reader(pickle.Unpickler):
    """Reads tensors, numbers, texts and namespaces; every other class or function becomes `Inert`."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle may call by a name."""
        tensors = (torch.dtype, torch.storage._LegacyStorageMeta)
        if module == "torch" and isinstance(getattr(torch, name, None), tensors):
            return getattr(torch, name)
        return HARMLESS.get((module, name), Inert)


def _load(file: Any, **options: Any) -> Any:
    return Reader(file, **options).load()


class Fairseq(Transformer):
    """Every hidden state of a Wav2Vec2 or HuBERT model in a fairseq checkpoint, through transformers.

    Parameters
    ----------
    checkpoint : str
        A .pt file, of the form with `args` or of that with `cfg`.
    precision, device, runtime : str
        As in `Transformer`.
    """

    def __init__(
        self, checkpoint: str, precision: str = "fp32", device: str = "cpu", runtime: str = "torch"
    ) -> None:
        pickling = SimpleNamespace(Unpickler=Reader, load=_load, __name__="pickle")
        try:
            content = torch.load(checkpoint, map_location="cpu", pickle_module=pickling, weights_only=False)
            model, normalize = _converted(content)
        except (*DAMAGED, KeyError, TypeError, AttributeError) as error:
            why = " ".join(str(error).split())[:300]
            raise PluginError(
                f"{checkpoint}: is no Wav2Vec2 or HuBERT of fairseq ({type(error).__name__}: {why})"
            ) from error
        self.normalize = normalize
        processor = Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True)
        self.take(model, processor, precision, device, runtime)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_layers + 1, n_frames, dim) per clip; zeros pad too short ones."""
        return super().embed([_normalized(clip) for clip in audio] if self.normalize else audio)


def _normalized(clip: Audio) -> Audio:
    """Return a clip of mean 0 and variance 1, with the epsilon that fairseq adds to the variance."""
    return np.asarray((clip - clip.mean()) / np.sqrt(clip.var() + 1e-5), dtype=np.float32)


def _converted(content: Mapping[str, Any]) -> tuple[Any, bool]:
    """Return the model of a checkpoint's content, and whether it wants normalised clips."""
    named, task = _settings(content)
    layers = _convolutions(named.get("conv_feature_layers", CONVOLUTIONS))
    sizes, kernels, strides = zip(*layers, strict=True)
    hubert = str(named.get("_name") or named.get("arch")).startswith("hubert")
    config = (HubertConfig if hubert else Wav2Vec2Config)(
        hidden_size=named.get("encoder_embed_dim", 768),
        num_hidden_layers=named.get("encoder_layers", 12),
        num_attention_heads=named.get("encoder_attention_heads", 12),
        intermediate_size=named.get("encoder_ffn_embed_dim", 3072),
        hidden_act=named.get("activation_fn", "gelu"),
        conv_dim=sizes,
        conv_kernel=kernels,
        conv_stride=strides,
        conv_bias=named.get("conv_bias", False),
        feat_extract_norm=NORMS[named.get("extractor_mode", "default")],
        do_stable_layer_norm=named.get("layer_norm_first", False),
        num_conv_pos_embeddings=named.get("conv_pos", 128),
        num_conv_pos_embedding_groups=named.get("conv_pos_groups", 16),
    )
    model = (HubertModel if hubert else Wav2Vec2Model)(config)
    used = {name: tensor for name, tensor in content["model"].items() if not name.startswith(TRAINING)}
    # Strict: one weight too many or too few is an error.
    model.load_state_dict({_renamed(name): tensor for name, tensor in used.items()})
    return model, bool(task.get("normalize", False))


def _settings(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the settings of the model and of its task: `args` in the old form, parts of `cfg` in the new."""
    cfg = content.get("cfg")
    parts = [content["args"]] * 2 if cfg is None else [cfg["model"], cfg["task"]]
    return [vars(part) if isinstance(part, argparse.Namespace) else part for part in parts]


def _convolutions(text: str) -> Sequence[tuple[int, int, int]]:
    """Return the (size, kernel, stride) of every convolution, of a sum of lists and their multiples."""

    def value(node: ast.expr) -> Any:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return value(node.left) + value(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return value(node.left) * value(node.right)
        return ast.literal_eval(node)

    found: Sequence[tuple[int, int, int]] = value(ast.parse(text, mode="eval").body)
    return found


def _renamed(name: str) -> str:
    """Return what transformers calls a weight."""
    for pattern, replacement in RENAMED:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name)
    raise KeyError(f"weight {name} is unknown")
