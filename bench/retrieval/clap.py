"""CLAP's text tower: a text -> a vector in the space of the sounds that it describes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, ClapTextModelWithProjection

from bench.catalog.pretrained import load, load_network, quiet
from bench.catalog.weights import TOKENIZER
from bench.errors import UsageError
from bench.types import Embeddings

LONGEST = 77
"""Number of tokens behind which CLAP's preprocessor cuts a text."""


class ClapText:
    """The projected text embeddings of CLAP, with norm 1, to compare with those of the extractor `Clap`.

    Parameters
    ----------
    folder : Path
        A checkpoint of CLAP in the format of `save_pretrained`, with its tokenizer.
    device : str
        A device of torch.

    Raises
    ------
    UsageError
        If the folder lacks the tokenizer or weights of the text tower.

    References
    ----------
    Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and keyword-to-caption
    augmentation", ICASSP 2023.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self.name = folder.name
        self._device = device
        if not (folder / TOKENIZER).is_file():
            raise UsageError(
                f"{folder}: has no {TOKENIZER}, which a search by text needs; expected the whole "
                "checkpoint of CLAP, as bench fetch gets it"
            )
        self._tokenizer = load(AutoTokenizer, folder)
        self._model = load_network(ClapTextModelWithProjection, folder, "the whole checkpoint of CLAP").to(
            device
        )

    def encode(self, texts: Sequence[str]) -> Embeddings:
        """Return a unit vector per text, shape=(n_texts, dim)."""
        inputs: Any = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode(), quiet():
            vectors = torch.nn.functional.normalize(self._model(**inputs).text_embeds, dim=-1)
        return np.asarray(vectors.cpu().numpy(), np.float32)
