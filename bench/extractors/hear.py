"""Modules with the HEAR interface: load_model, get_scene_embeddings, get_timestamp_embeddings."""

import importlib
from collections.abc import Sequence

import numpy as np
import torch

from bench.errors import PluginError
from bench.extractors.batching import embed_equal_lengths
from bench.types import Audio, Frames


class Hear:
    """The scene embedding of a HEAR module as a clip's only frame, or its timestamp embeddings as frames.

    The module gets batches of clips of equal length, as its interface requires.

    Parameters
    ----------
    module : str
        Import name of the module.
    weights : str
        Argument of its `load_model`; empty for the default.
    timestamps : bool
        Whether frames are the timestamp embeddings.

    Raises
    ------
    PluginError
        If the module lacks a function of the interface.

    References
    ----------
    Turian et al., "HEAR: Holistic evaluation of audio representations", PMLR 176, 2022.
    """

    def __init__(self, module: str, weights: str = "", timestamps: bool = False) -> None:
        self.module = importlib.import_module(module)
        interface = ("load_model", "get_scene_embeddings", "get_timestamp_embeddings")
        absent = [name for name in interface if not hasattr(self.module, name)]
        if absent:
            raise PluginError(f"module '{module}' lacks {', '.join(absent)}; expected the HEAR interface")
        self.model = self.module.load_model(weights) if weights else self.module.load_model()
        parameters = self.model.parameters() if isinstance(self.model, torch.nn.Module) else ()
        self.device = next((tensor.device for tensor in parameters), torch.device("cpu"))
        self.timestamps = timestamps
        self.sample_rate = int(self.model.sample_rate)
        size = "timestamp_embedding_size" if timestamps else "scene_embedding_size"
        self.dim = int(getattr(self.model, size))

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of shape (n_frames, dim) per clip, or of shape (dim,) for scenes."""
        return embed_equal_lengths(
            [clip.size for clip in audio], lambda rows: self._embed_batch([audio[row] for row in rows])
        )

    def _embed_batch(self, clips: Sequence[Audio]) -> Frames:
        """Return the embeddings of clips of one length, shape=(n_clips, dim) or (n_clips, n_frames, dim)."""
        batch = torch.from_numpy(np.stack(clips)).to(self.device)
        with torch.no_grad():
            if self.timestamps:
                embeddings, _ = self.module.get_timestamp_embeddings(batch, self.model)
            else:
                embeddings = self.module.get_scene_embeddings(batch, self.model)
        return np.asarray(embeddings.float().cpu().numpy())
