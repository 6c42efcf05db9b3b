"""Arrays by their shapes."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Audio: TypeAlias = npt.NDArray[np.float32]
"""Mono samples of a clip, shape=(n_samples,), in [-1, 1]."""


Frames: TypeAlias = npt.NDArray[np.float32]
"""Frames of a clip, shape=(n_frames, dim), (n_layers, n_frames, dim), or (dim,) for a single frame."""


Statistics: TypeAlias = npt.NDArray[np.float32]
"""Statistics of a clip's frames over time, shape=(n_layers, n_statistics, dim).

If there is more than one layer, the last hidden state and the mean of the layers follow as two more layers.
"""


Embeddings: TypeAlias = npt.NDArray[np.float32]
"""One vector per clip, shape=(n_clips, dim)."""


Samples: TypeAlias = Embeddings | Sequence[Frames]
"""Input of a head: vectors; layers, shape=(n_clips, n_layers, dim); or the frames of every clip."""


Labels: TypeAlias = npt.NDArray[np.str_]
"""One label per clip, shape=(n_clips,); labels of groups are str objects in an object array."""
