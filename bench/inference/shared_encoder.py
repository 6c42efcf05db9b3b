"""One pass of Whisper's encoder for a label and a text."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.catalog import weights
from bench.inference.transcription import Transcriber
from bench.types import Audio, Extractor, Frames, Spec

CAPACITY = 64
"""Largest number of clips whose states are in memory: 2 MB each for Whisper tiny, 8 MB for large."""


class SharedEncoder:
    """An extractor that keeps the last hidden states of clips until a transcriber asks for them.

    It has every attribute of the extractor behind it.

    Parameters
    ----------
    extractor : Any
        An extractor with `encode`, as in `bench.types.Extractor`.
    """

    def __init__(self, extractor: Any) -> None:
        self.sample_rate = int(extractor.sample_rate)
        self.dim = int(extractor.dim)
        self._extractor = extractor
        self._states: deque[tuple[Audio, Frames]] = deque(maxlen=CAPACITY)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the extractor."""
        return getattr(self._extractor, name)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of frames per clip; see `bench.types.Extractor`."""
        frames: Sequence[Frames]
        frames, states = self._extractor.encode(audio)
        # A view would keep the hidden states of every layer in memory.
        self._states.extend((clip, last.copy()) for clip, last in zip(audio, states, strict=True))
        return frames

    def states(self, audio: Audio) -> Frames | None:
        """Return the last hidden states of a clip, shape=(n_positions, dim), and forget them.

        None if none of the last 64 clips has the same samples: preprocessing may change a clip.
        """
        for position, (clip, states) in enumerate(self._states):
            if np.array_equal(clip, audio):
                del self._states[position]
                return states
        return None


def shared(extractor: Extractor, spec: Spec, transcriber: Transcriber) -> SharedEncoder | None:
    """Return an extractor whose encoder serves a transcriber; None if it is not the same network.

    It is the same for the weights of the transcriber, padded, in fp32 by torch.

    Parameters
    ----------
    spec : Spec
        What the extractor was built from, with the path of its weights.
    """
    params = {"runtime": "torch", "precision": "fp32", "short": False, **spec.params}
    path = Path(str(params.get("checkpoint", "")))
    if not (hasattr(extractor, "encode") and transcriber.digest and path.is_dir()):
        return None
    if params["short"] or params["runtime"] != "torch" or params["precision"] != "fp32":
        return None
    return SharedEncoder(extractor) if _digest(path) == transcriber.digest else None


@cache
def _digest(path: Path) -> str:
    """Return the digest of weights that are loaded; a server asks for it with every request."""
    return weights.digest(path)
