"""Modules of the HEAR interface: load_model, get_scene_embeddings, get_timestamp_embeddings."""

import importlib
from collections.abc import Sequence

import numpy as np
import torch

from bench.errors import PluginError
from bench.extractors.groups import by_length
from bench.types import Audio, Frames


class Hear:
    """A module of the HEAR interface: a clip's scene embedding as its one frame, or its timestamps' frames.

    Clips are handed to the module in batches of one length, as its interface asks.

    Parameters
    ----------
    module : str
        The name that it is imported by.
    weights : str
        What its `load_model` is called with; empty for its own default.
    timestamps : bool
        Whether frames are the timestamp embeddings.

    References
    ----------
    Turian et al., "HEAR: Holistic evaluation of audio representations", PMLR 176, 2022.
    """

    def __init__(self, module: str, weights: str = "", timestamps: bool = False) -> None:
        self.module = importlib.import_module(module)
        needed = ("load_model", "get_scene_embeddings", "get_timestamp_embeddings")
        absent = [name for name in needed if not hasattr(self.module, name)]
        if absent:
            raise PluginError(f"module '{module}' lacks {', '.join(absent)}; expected the HEAR interface")
        self.model = self.module.load_model(weights) if weights else self.module.load_model()
        self.timestamps = timestamps
        self.sample_rate = int(self.model.sample_rate)
        size = "timestamp_embedding_size" if timestamps else "scene_embedding_size"
        self.dim = int(getattr(self.model, size))

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_frames, dim) per clip, or of shape (dim,) for scenes."""
        return by_length([clip.size for clip in audio], lambda rows: self._made([audio[row] for row in rows]))

    def _made(self, clips: Sequence[Audio]) -> Frames:
        """Return what the module makes of clips of one length, shape=(n_clips, ..., dim)."""
        batch = torch.from_numpy(np.stack(clips))
        with torch.no_grad():
            if self.timestamps:
                made, _ = self.module.get_timestamp_embeddings(batch, self.model)
            else:
                made = self.module.get_scene_embeddings(batch, self.model)
        return np.asarray(made.float().cpu().numpy())
