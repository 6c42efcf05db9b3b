"""Sentence encoders by transformers: texts -> token vectors -> one unit vector each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from bench.catalog.pretrained import load, load_network, quiet
from bench.errors import UsageError, listing
from bench.files import parse_json
from bench.types import Embeddings
from bench.validation import convert

BATCH = 32
"""Number of texts, of about the same length, that the network gets at once."""

MODULES = ("Transformer", "Pooling", "Normalize")
"""Modules of sentence-transformers that are computed here."""

Pooling = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Token vectors, shape=(n_texts, n_tokens, dim), and their mask -> shape=(n_texts, dim)."""


class Module(msgspec.Struct, frozen=True):
    """Fields of an entry of modules.json."""

    type: str
    path: str = ""


class Limits(msgspec.Struct, frozen=True):
    """Fields of sentence_bert_config.json."""

    max_seq_length: int | None = None


class SentenceNetwork:
    """A sentence encoder in the format of sentence-transformers, or any encoder of text of transformers.

    The vectors are those of sentence-transformers: tokens pooled as ``1_Pooling/config.json`` says, or else
    their mean, of unit length. A text is cut behind the longest that the encoder was trained for.

    Parameters
    ----------
    name : str
        Name in an index.
    folder : Path
        Where the checkpoint is.
    device : str
        A device of torch.

    Raises
    ------
    UsageError
        If the folder has no encoder, or one with other modules than `MODULES` or another pooling.

    References
    ----------
    Reimers and Gurevych, "Sentence-BERT", EMNLP 2019.
    """

    def __init__(self, name: str, folder: Path, device: str) -> None:
        self.name = name
        self._device = device
        self._poolings = _poolings(folder)
        self._tokenizer = load(AutoTokenizer, folder)
        # The pooler, which predicts the next sentence, is not used, and many checkpoints lack it.
        model = load_network(AutoModel, folder, "an encoder of text", optional="pooler.")
        if model.main_input_name != "input_ids" or model.config.is_encoder_decoder:
            raise UsageError(
                f"{folder}: {type(model).__name__} is no encoder of text; expected one, such as MiniLM"
            )
        self._model = model.to(device)
        self._longest = _longest(folder, self._tokenizer, self._model.config)

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Return a unit vector per text, shape=(n_texts, dim)."""
        order = np.argsort([len(text) for text in texts], kind="stable")
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        with torch.inference_mode(), quiet():
            vectors = [self._batch([texts[row] for row in rows]) for rows in batches]
        encoded = np.concatenate(vectors)
        encoded[order] = encoded.copy()
        return encoded

    def _batch(self, texts: Sequence[str]) -> Embeddings:
        """Return the vectors of a few texts."""
        inputs: Any = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        ).to(self._device)
        tokens = self._model(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None].to(tokens.dtype)
        pooled = torch.cat([pooling(tokens, mask) for pooling in self._poolings], dim=-1)
        return np.asarray(torch.nn.functional.normalize(pooled, dim=-1).cpu().numpy(), np.float32)


def _mean(tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9)


def _max(tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return tokens.masked_fill(mask == 0, -torch.inf).max(1).values


POOLINGS: Mapping[str, Pooling] = {
    "cls_token": lambda tokens, _: tokens[:, 0],
    "max_tokens": _max,
    "mean_tokens": _mean,
    "mean_sqrt_len_tokens": lambda tokens, mask: (tokens * mask).sum(1) / mask.sum(1).clamp(min=1e-9).sqrt(),
}
"""Suffix of ``pooling_mode_*`` in ``1_Pooling/config.json`` -> the pooling, in the order of its values."""


def _poolings(folder: Path) -> list[Pooling]:
    """Return the poolings of a checkpoint; the mean if it names none."""
    modules = _read(folder / "modules.json", tuple[Module, ...], ())
    others = [kind for module in modules if (kind := module.type.rpartition(".")[2]) not in MODULES]
    if others:
        raise UsageError(
            f"{folder}/modules.json: has the module {listing(others[:1], len(others))}, which has no "
            f"counterpart here; expected {', '.join(MODULES)}"
        )
    path = next((module.path for module in modules if module.type.endswith(".Pooling")), "1_Pooling")
    fields = _read(folder / path / "config.json", dict[str, Any], {"pooling_mode_mean_tokens": True})
    modes = [name.removeprefix("pooling_mode_") for name, value in fields.items() if value is True]
    modes = [mode for mode in modes if mode != "include_prompt"]
    unknown = [mode for mode in modes if mode not in POOLINGS]
    if unknown or not modes:
        raise UsageError(
            f"{folder}/{path}/config.json: pools by {', '.join(unknown) or 'nothing'}; expected one of "
            f"{', '.join(POOLINGS)}"
        )
    return [pooling for mode, pooling in POOLINGS.items() if mode in modes]


def _longest(folder: Path, tokenizer: Any, config: Any) -> int:
    """Return the largest number of tokens of a text."""
    limits = _read(folder / "sentence_bert_config.json", Limits, Limits())
    # The positions of RoBERTa and its kin begin behind that of the padding.
    offset = int(config.pad_token_id or 0) + 1 if "roberta" in config.model_type else 0
    positions = int(getattr(config, "max_position_embeddings", 512)) - offset
    return min(limits.max_seq_length or positions, positions, int(tokenizer.model_max_length))


def _read(path: Path, noun: Any, default: Any) -> Any:
    """Return the fields of a file that a type has, or a default where there is no such file."""
    if not path.is_file():
        return default
    try:
        return convert(parse_json(path.read_bytes()), noun, str(path))
    except ValueError as error:
        raise UsageError(f"{path}: is damaged ({error}); restore it") from error
