"""Standardised features within limits."""

from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from bench.types import Embeddings


class LimitedScaler(StandardScaler):  # type: ignore[misc]  # scikit-learn has no type hints
    """`StandardScaler` whose results do not exceed a limit on either side of the mean.

    A feature that is almost always 0 has a tiny deviation. A tested clip with another value of it is far from
    every training clip by this feature alone, and a head that measures distances sees nothing else.

    Parameters
    ----------
    limit : float
        Largest absolute value, in standard deviations of the training clips.
    """

    def __init__(self, limit: float = 3.0) -> None:
        super().__init__()
        self.limit = limit

    def transform(self, X: Embeddings, copy: bool | None = None) -> Any:
        """Return the standardised features within the limit, shape=(n_clips, dim)."""
        return np.clip(super().transform(X, copy), -self.limit, self.limit)
