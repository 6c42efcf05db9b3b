"""Arrays by their shapes."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Audio: TypeAlias = npt.NDArray[np.float32]
"""Mono samples, shape=(n_samples,), in [-1, 1]."""


Frames: TypeAlias = npt.NDArray[np.float32]
"""One clip, shape=(n_frames, dim), (n_layers, n_frames, dim) or, for a single frame, (dim,)."""


Statistics: TypeAlias = npt.NDArray[np.float32]
"""One clip's statistics over frames, shape=(n_layers, n_statistics, dim).

Behind more than one layer come the last hidden state, and the mean of the layers."""


Embeddings: TypeAlias = npt.NDArray[np.float32]
"""One vector per clip, shape=(n_clips, dim)."""


Samples: TypeAlias = Embeddings | Sequence[Frames]
"""What a head sees: vectors; layers, shape=(n_clips, n_layers, dim); or one array per clip of its frames."""


Labels: TypeAlias = npt.NDArray[np.str_]
"""One label per clip, shape=(n_clips,); of groups, an array of objects that are str."""
