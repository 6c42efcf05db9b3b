"""One pass of Whisper's encoder for a label and a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.catalog import weights
from bench.inference.transcription import Transcriber
from bench.types import Audio, Extractor, Frames, Spec


class SharedEncoder:
    """An extractor that remembers the last hidden states of the clips of its last call.

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
        self._audio: Sequence[Audio] = ()
        self._states: Sequence[Frames] = ()

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the extractor."""
        return getattr(self._extractor, name)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array of frames per clip; see `bench.types.Extractor`."""
        frames: Sequence[Frames]
        frames, self._states = self._extractor.encode(audio)
        self._audio = audio
        return frames

    def states(self, audio: Audio) -> Frames | None:
        """Return the last hidden states of a clip, shape=(n_positions, dim).

        None if the last call of `embed` had no clip of the same samples: preprocessing may change a clip.
        """
        clips = zip(self._audio, self._states, strict=True)
        return next((states for clip, states in clips if np.array_equal(clip, audio)), None)


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
    return SharedEncoder(extractor) if weights.digest(path) == transcriber.digest else None
